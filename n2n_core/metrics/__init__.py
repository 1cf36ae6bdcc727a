"""PSNR, SSIM, and what a report measures of a picture. Nothing here imports torch."""
