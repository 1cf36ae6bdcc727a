import assert from "node:assert/strict";
import { test } from "node:test";

import { advice, bestPsnr, gain, noisyPsnr, psnr } from "../../../service/web/js/psnr.js";

test("measured values go before estimated ones", () => {
  assert.equal(psnr({ psnr: 30, psnr_estimate: 20 }), 30);
  assert.equal(psnr({ psnr: null, psnr_estimate: 20 }), 20);
  assert.equal(noisyPsnr({ noisy_psnr_estimate: 15 }), 15);
  assert.equal(bestPsnr({ best_psnr: 31, psnr: 30 }), 31);
  assert.equal(bestPsnr({ psnr: 30 }), 30);
});

test("nothing is known of no metrics", () => {
  for (const figure of [psnr, bestPsnr, noisyPsnr, gain]) assert.equal(figure({}), null);
});

test("the gain compares the best epoch with the noisy pictures", () => {
  assert.equal(gain({ psnr: 29, best_psnr: 30, noisy_psnr: 20 }), 10);
  assert.equal(gain({ psnr_estimate: 19, noisy_psnr_estimate: 20 }), -1);
  assert.equal(gain({ psnr: 29 }), null);
  assert.equal(gain({ psnr: 0, noisy_psnr: 0 }), 0, "0 dB is a value");
});

test("a gain that nobody sees gets advice", () => {
  assert.equal(advice(null), "");
  assert.equal(advice(1), "");
  assert.match(advice(0.99), /train longer/);
  assert.match(advice(-3), /train longer/);
});
