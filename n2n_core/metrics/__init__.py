"""PSNR, SSIM and noise levels, of batches and of single pictures."""
