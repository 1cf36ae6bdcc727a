// The history of a training: the events of its log, in order and without repetitions.

import { decibels, duration, loss } from "../format.js";
import { noisyPsnr, psnr } from "../psnr.js";

const LINES = 200; // of the log that are kept

/** Collects events. A resumed training repeats some steps: the newer event of a step or an epoch replaces the older. */
export class JobHistory {
  constructor() {
    this.start = null; // the newest event of this kind
    this.end = null;
    this.steps = new Map(); // by step
    this.epochs = new Map(); // by epoch
    this.lines = [];
  }

  add(event) {
    if (event.event === "start") [this.start, this.end] = [event, null];
    else if (event.event === "step") this.steps.set(event.step, event);
    else if (event.event === "epoch") this.epochs.set(event.epoch, event);
    else if (event.event === "end") this.end = event;
    this.lines.push(lineOf(event));
    if (this.lines.length > LINES) this.lines.shift();
  }

  /** Forget the lines, as all events are about to come again, from the first. */
  restart() {
    this.lines = [];
  }

  /** Return the newest event of `steps` or `epochs`; undefined if there is none. */
  newest(kind) {
    return inOrder(this[kind]).at(-1);
  }

  /** Variance of the noise, below which the loss cannot fall; null if it is not known or does not apply. */
  get floor() {
    return this.start?.loss === "mse" ? this.start.noise_floor ?? null : null;
  }

  /** Return training loss, validation loss and noise floor by steps, as columns. */
  losses() {
    const steps = inOrder(this.steps);
    const validated = inOrder(this.epochs).filter((epoch) => epoch.validation_loss !== undefined);
    const training = new Map(steps.map((event) => [event.step, event.loss]));
    const validation = new Map(validated.map((event) => [event.step, event.validation_loss]));
    const x = [...new Set([...training.keys(), ...validation.keys()])].sort((a, b) => a - b);
    return {
      x,
      training: x.map((step) => training.get(step) ?? null),
      validation: x.map((step) => validation.get(step) ?? null),
      floor: x.map(() => this.floor),
    };
  }

  /** Return the PSNR of the outputs and of the noisy pictures by epochs, as columns; null where it is not known. */
  psnrs() {
    const epochs = inOrder(this.epochs);
    return {
      x: epochs.map((event) => event.epoch),
      denoised: epochs.map(psnr),
      noisy: epochs.map(noisyPsnr),
    };
  }

  /** Return the learning rate by steps, as columns. */
  rates() {
    const steps = inOrder(this.steps);
    return { x: steps.map((event) => event.step), rate: steps.map((event) => event.lr) };
  }

  /** Whether the PSNR is estimated from noisy pictures, because there are no clean ones. */
  get estimated() {
    const epoch = this.newest("epochs");
    return epoch !== undefined && epoch.psnr === undefined && epoch.psnr_estimate !== undefined;
  }
}

function inOrder(events) {
  return [...events.values()].sort((a, b) => a.step - b.step);
}

/** Return an event as a line of text. */
function lineOf(event) {
  const clock = new Date(event.time * 1000).toLocaleTimeString("en-GB");
  return `${clock}  ${described(event)}`;
}

function described(event) {
  switch (event.event) {
    case "start":
      return event.step ? `resumed after step ${event.step}, on ${event.device}` : `started, on ${event.device}`;
    case "step":
      return `step ${event.step}: loss ${loss(event.loss)}, learning rate ${event.lr.toPrecision(2)}, ` +
        `${Math.round(event.images_per_second)} crops per second`;
    case "epoch": {
      const figure = psnr(event);
      const result = figure === null ? `validation loss ${loss(event.validation_loss)}` : `PSNR ${decibels(figure)}`;
      return `epoch ${event.epoch}: ${result}${event.best_epoch === event.epoch ? ", the best so far" : ""}`;
    }
    case "stopped":
      return `stopped after step ${event.step}, which is saved`;
    case "end":
      return `finished after ${duration(event.seconds)}: ${ENDS[event.reason] ?? event.reason}`;
    default:
      return event.event;
  }
}

const ENDS = {
  epochs: "all epochs are done",
  max_seconds: "the time limit is reached",
  patience: "no improvement any more",
};
