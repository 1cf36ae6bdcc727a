// What is known of a training's course: its log's events, in order and without repetitions.

import { noisyPsnr, psnr } from "../psnr.js";
import { decibels, duration, loss } from "./job_states.js";

const LINES = 200; // that are kept to be read

/** Takes events as they come; those of a step that was done twice, by a resumed run, replace the earlier ones. */
export class History {
  constructor() {
    this.start = null; // the newest
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
    this.lines.push(told(event));
    if (this.lines.length > LINES) this.lines.shift();
  }

  /** All events come once more, from the first. */
  again() {
    this.lines = [];
  }

  /** The newest of the kind `steps` or `epochs`; undefined if there is none. */
  newest(kind) {
    return inOrder(this[kind]).at(-1);
  }

  /** The noise's variance, below which the loss cannot fall; null where it is not known or does not apply. */
  get floor() {
    return this.start?.loss === "mse" ? this.start.noise_floor ?? null : null;
  }

  /** Training loss, validation loss and noise floor by steps, as columns. */
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

  /** Validation PSNR by epochs, of the outputs and of the noisy pictures, as columns; null where it is not known. */
  psnrs() {
    const epochs = inOrder(this.epochs).sort((a, b) => a.epoch - b.epoch);
    return {
      x: epochs.map((event) => event.epoch),
      denoised: epochs.map(psnr),
      noisy: epochs.map(noisyPsnr),
    };
  }

  /** The learning rate by steps. */
  rates() {
    const steps = inOrder(this.steps);
    return { x: steps.map((event) => event.step), rate: steps.map((event) => event.lr) };
  }

  /** Whether PSNR is estimated from noisy pictures, as there are no clean ones. */
  get estimated() {
    const epoch = this.newest("epochs");
    return epoch !== undefined && epoch.psnr === undefined && epoch.psnr_estimate !== undefined;
  }
}

function inOrder(events) {
  return [...events.values()].sort((a, b) => a.step - b.step);
}

/** An event as a line to read. */
function told(event) {
  const clock = new Date(event.time * 1000).toLocaleTimeString("en-GB");
  return `${clock}  ${sentence(event)}`;
}

function sentence(event) {
  switch (event.event) {
    case "start":
      return event.step ? `goes on after step ${event.step}, on ${event.device}` : `begins, on ${event.device}`;
    case "step":
      return `step ${event.step}: loss ${loss(event.loss)}, learning rate ${event.lr.toPrecision(2)}, ` +
        `${Math.round(event.images_per_second)} crops a second`;
    case "epoch": {
      const figure = psnr(event);
      const told = figure === null ? `validation loss ${loss(event.validation_loss)}` : `PSNR ${decibels(figure)}`;
      return `epoch ${event.epoch}: ${told}${event.best_epoch === event.epoch ? ", the best so far" : ""}`;
    }
    case "stopped":
      return `stopped after step ${event.step}, which is saved`;
    case "end":
      return `ends after ${duration(event.seconds)}: ${ENDS[event.reason] ?? event.reason}`;
    default:
      return event.event;
  }
}

const ENDS = {
  epochs: "all epochs are done",
  max_seconds: "its time is over",
  patience: "it got no better any more",
};
