import assert from "node:assert/strict";
import { test } from "node:test";

import { distinct } from "../../../service/web/js/train/job_comparison.js";
import { JobHistory } from "../../../service/web/js/train/job_history.js";
import { STATES, failure, lengthOf } from "../../../service/web/js/train/job_states.js";
import { progressOf } from "../../../service/web/js/train/progress.js";

/** A job as the API tells it. */
function job({ state = "running", step = 0, total = null, eta = null, ...spec } = {}) {
  return { state, progress: { step, total_steps: total, eta_seconds: eta }, spec: { max_seconds: null, batch_size: 16, epochs: 10, ...spec } };
}

function historyOf(...events) {
  const history = new JobHistory();
  for (const event of events) history.add({ time: 0, ...event });
  return history;
}

const step = (number, more = {}) => ({ event: "step", step: number, loss: 1 / number, lr: 0.001, images_per_second: 320, eta_seconds: 60, epoch: 0, ...more });
const epoch = (number, more = {}) => ({ event: "epoch", step: 10 * number, epoch: number, psnr: 20 + number, noisy_psnr: 15, validation_loss: 0.5, ...more });

test("progress goes by steps", () => {
  assert.deepEqual(progressOf(job({ step: 25, total: 100, eta: 30 })), { share: 0.25, step: 25, total: 100, left: 30, rate: null });
});

test("nothing is known of a job that waits", () => {
  assert.deepEqual(progressOf(job({ state: "queued" })), { share: 0, step: 0, total: 0, left: null, rate: null });
});

test("events are newer than the job", () => {
  const history = historyOf({ event: "start", step: 0, total_steps: 200 }, step(50));
  assert.deepEqual(progressOf(job({ step: 40, total: 100, eta: 90 }), history), { share: 0.25, step: 50, total: 200, left: 60, rate: 20 });
});

test("of a time limit and a number of steps, the nearer end counts", () => {
  const limited = { step: 10, total: 1_000_000, max_seconds: 100 };
  assert.equal(progressOf(job({ ...limited, eta: 25 })).share, 0.75);
  assert.equal(progressOf(job({ ...limited, eta: 250 })).share, 0.00001, "an estimate above the limit is no progress");
  assert.equal(progressOf(job({ ...limited, total: 20, eta: 90 })).share, 0.5);
});

test("a share is never above 1, and 1 of what succeeded early", () => {
  assert.equal(progressOf(job({ step: 120, total: 100 })).share, 1);
  assert.equal(progressOf(job({ state: "succeeded", step: 30, total: 100 })).share, 1);
});

test("the columns of the losses have a value or null at each step", () => {
  const history = historyOf({ event: "start", step: 0, loss: "mse", noise_floor: 0.01 }, step(5), step(10), epoch(1), epoch(2, { step: 15 }));
  assert.deepEqual(history.losses(), { x: [5, 10, 15], training: [0.2, 0.1, null], validation: [null, 0.5, 0.5], floor: [0.01, 0.01, 0.01] });
  assert.deepEqual(history.rates(), { x: [5, 10], rate: [0.001, 0.001] });
});

test("a loss of 0 is a value", () => {
  assert.deepEqual(historyOf(step(1, { loss: 0 })).losses().training, [0]);
});

test("the floor is that of the squared error alone", () => {
  assert.equal(historyOf().floor, null);
  assert.equal(historyOf({ event: "start", loss: "l1", noise_floor: 0.01 }).floor, null);
  assert.equal(historyOf({ event: "start", loss: "mse" }).floor, null);
});

test("a resumed run replaces what it does again, in any order", () => {
  const history = historyOf({ event: "start", step: 0 }, step(10), step(20), epoch(2), epoch(1), { event: "start", step: 10 }, step(20, { loss: 7 }));
  assert.deepEqual(history.losses().x, [10, 20]);
  assert.deepEqual(history.losses().training, [0.1, 7]);
  assert.deepEqual(history.psnrs(), { x: [1, 2], denoised: [21, 22], noisy: [15, 15] });
  assert.equal(history.newest("steps").loss, 7);
  assert.equal(history.newest("epochs").epoch, 2);
  assert.equal(historyOf().newest("steps"), undefined);
});

test("a resumed run has not ended", () => {
  const history = historyOf({ event: "end", reason: "epochs", seconds: 5 });
  assert.equal(history.end.seconds, 5);
  history.add({ event: "start", step: 10, time: 0 });
  assert.equal(history.end, null);
});

test("PSNR is estimated where there is no measured one", () => {
  assert.equal(historyOf().estimated, false);
  assert.equal(historyOf(epoch(1)).estimated, false);
  const estimate = { event: "epoch", step: 1, epoch: 1, psnr_estimate: 19, noisy_psnr_estimate: 15 };
  const history = historyOf(estimate);
  assert.equal(history.estimated, true);
  assert.deepEqual(history.psnrs(), { x: [1], denoised: [19], noisy: [15] });
});

test("events are lines to read, the newest 200 of them", () => {
  const history = historyOf({ event: "start", step: 0, device: "cpu" }, step(10), epoch(1, { best_epoch: 1 }), epoch(2, { psnr: undefined }),
    { event: "stopped", step: 20 }, { event: "start", step: 20, device: "cuda" }, { event: "end", reason: "patience", seconds: 90 },
    { event: "end", reason: "new", seconds: 1 }, { event: "other" });
  assert.deepEqual(history.lines.map((line) => line.slice(10)), ["started, on cpu",
    "step 10: loss 0.100, learning rate 0.0010, 320 crops per second", "epoch 1: PSNR 21.00 dB, the best so far",
    "epoch 2: validation loss 0.500", "stopped after step 20, which is saved", "resumed after step 20, on cuda",
    "finished after 2 min: no improvement any more", "finished after 1 s: new", "other"]);
  for (let i = 1; i <= 300; i += 1) history.add({ time: 0, ...step(i) });
  assert.equal(history.lines.length, 200);
  assert.match(history.lines.at(-1), /step 300:/);
  history.restart();
  assert.deepEqual(history.lines, []);
  assert.equal(history.newest("steps").step, 300, "curves stay");
});

test("names that occur several times get a number", () => {
  assert.deepEqual(distinct(["a", "b", "a", "a"]), ["a (1)", "b", "a (2)", "a (3)"]);
  assert.deepEqual(distinct([]), []);
});

test("every state has a name, every failure two sentences", () => {
  assert.deepEqual(Object.keys(STATES).sort(), ["cancelled", "cancelling", "failed", "queued", "running", "starting", "succeeded"]);
  for (const code of ["diverged", "out_of_memory", "a code of a later service", undefined]) {
    const [what, remedy] = failure(code);
    assert.match(what, /\.$/);
    assert.match(remedy, /\.$/);
  }
});

test("a recipe's length is its time limit, if there is one", () => {
  assert.equal(lengthOf({ epochs: 1, max_seconds: null }), "1 epoch");
  assert.equal(lengthOf({ epochs: 1_000_000, max_seconds: 600 }), "10 min");
});
