// How good a training or its model is, by the figures that the API calls `metrics`.

/** From clean pictures, or estimated from noisy ones; null if neither is known. */
export function psnr(metrics) {
  return metrics.psnr ?? metrics.psnr_estimate ?? null;
}

/** The best PSNR, that of the newest epoch where an older service did not tell. */
export function bestPsnr(metrics) {
  return metrics.best_psnr ?? psnr(metrics);
}

/** The PSNR of the noisy pictures; null if it is not known. */
export function noisyPsnr(metrics) {
  return metrics.noisy_psnr ?? metrics.noisy_psnr_estimate ?? null;
}

/** By how much the best PSNR is above that of the noisy pictures; null if that is not known. */
export function gain(metrics) {
  const [best, before] = [bestPsnr(metrics), noisyPsnr(metrics)];
  return best === null || before === null ? null : best - before;
}

/** Decibels with their sign, as "+4.17". */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

const LITTLE = 1; // dB that nobody sees

/** What there is to say of a gain: nothing where it is good, or not known. */
export function advice(better) {
  return better !== null && better < LITTLE ? "It hardly denoises yet: train longer, or with more pictures." : "";
}
