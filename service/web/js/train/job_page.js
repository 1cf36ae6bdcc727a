// The page of one training, live: progress, curves, samples, log and buttons.

import { events, json } from "../api.js";
import { announce, element, icon } from "../dom.js";
import { ago, decibels, duration, grouped, loss, signed } from "../format.js";
import { advice, bestPsnr, gain, psnr } from "../psnr.js";
import { curves } from "./curves.js";
import { filmstrip } from "./filmstrip.js";
import { jobActions } from "./job_actions.js";
import { jobDetails } from "./job_details.js";
import { JobHistory } from "./job_history.js";
import { STATES, failure, lengthOf } from "./job_states.js";
import { progressOf } from "./progress.js";

/** Show the job in `root`, until the signal. */
export async function jobPage(root, id, signal) {
  let job = await json(`/train-jobs/${encodeURIComponent(id)}`, { signal });
  let model; // null if it was deleted, undefined if there is none or it is not loaded yet
  const dataset = job.dataset && await json(`/datasets/${job.dataset}`, { signal }).catch(() => null);
  const history = new JobHistory();
  const charts = await curves(history);
  if (signal.aborted) {
    charts.destroy();
    return;
  }
  signal.addEventListener("abort", () => charts.destroy());
  const samples = filmstrip(id, history, dataset?.kind === "clean" ? "Clean" : "Other shot", signal);
  const head = element("header", { class: "page-head" });
  const status = element("section", { class: "card status", "aria-label": "Progress" });
  const tiles = element("dl", { class: "tiles" });
  const log = jobDetails(id, history, signal);
  root.append(head, status, tiles, charts.node, samples.node, log.node);
  let following = null; // AbortController of the present stream of events
  const buttons = jobActions(() => ({ job, model, dataset }), (changed) => {
    changeTo(changed);
    if (following.signal.aborted) follow();
  }, signal);
  changeTo(job);
  follow();

  /** Read the events from the first one; they end when the job is done. */
  function follow() {
    history.restart();
    following = new AbortController();
    const both = AbortSignal.any([signal, following.signal]);
    events(`/train-jobs/${id}/events`, take, both).catch((error) => {
      if (both.aborted) return;
      status.append(element("p", { class: "notice bad", role: "alert" }, error.message));
    });
  }

  function take({ name, data }) {
    if (name === "state") {
      if (data.state !== job.state) announce(`${data.name}: ${STATES[data.state].label}.`);
      changeTo(data);
      if (data.done) following.abort();
      return;
    }
    history.add(data);
    if (name === "epoch") {
      samples.showPsnr(data.epoch);
      samples.refresh().catch(() => {}); // the next epoch tries again
    }
    charts.update();
    figures();
  }

  function changeTo(changed) {
    job = changed;
    head.replaceChildren(...heading(job, dataset, buttons.nodes()));
    figures();
    charts.update();
    log.update(job);
    if (job.done) samples.refresh().catch(() => {});
    if (job.result && !model) loadModel().catch(() => {}); // the page is correct without it, too
  }

  async function loadModel() {
    model = await modelOf(job.result, signal);
    head.replaceChildren(...heading(job, dataset, buttons.nodes()));
    figures();
  }

  function figures() {
    status.replaceChildren(...progress(job, history, model));
    tiles.replaceChildren(...numbers(job, history));
    log.showEvents();
  }
}

/** Load the version that a job made; null if it was deleted. */
async function modelOf({ model, version }, signal) {
  try {
    return await json(`/models/${encodeURIComponent(`${model}@${version}`)}`, { signal });
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function heading(job, dataset, buttons) {
  const { label, tone } = STATES[job.state];
  const from = dataset ? element("a", { href: `#/train/new?dataset=${dataset.id}` }, dataset.name) : "deleted pictures";
  return [
    element("div", {}, element("a", { href: "#/train", class: "back" }, "Trainings"),
      element("h1", {}, job.name, " ", element("span", { class: `badge ${tone}` }, label)),
      element("p", { class: "muted" }, `${job.spec.model}, ${lengthOf(job.spec)}, from `, from, `; started ${ago(job.started_at ?? job.created_at)}`)),
    element("div", { class: "page-actions" }, buttons),
  ];
}

/** Create the progress bar and a line about it, or the reason of a failure. */
function progress(job, history, model) {
  const { share, step, total, left, rate } = progressOf(job, history);
  const means = job.result ? fate(job.result, model) : STATES[job.state].means;
  if (job.error && job.state === "failed") {
    const [what, remedy] = failure(job.error.code);
    return [element("p", { class: "notice bad", role: "alert" }, element("strong", {}, what), ` ${remedy}`),
      element("p", { class: "muted" }, job.error.detail)];
  }
  const parts = job.state === "running" ? [
    history.newest("steps") && `epoch ${grouped(Math.min(history.newest("steps").epoch + 1, job.spec.epochs))}` +
      (job.spec.max_seconds ? "" : ` of ${grouped(job.spec.epochs)}`),
    step > 0 && `step ${grouped(step)}${job.spec.max_seconds ? "" : ` of ${grouped(total)}`}`,
    rate && `${rate.toFixed(rate < 10 ? 1 : 0)} steps per second`,
  ].filter(Boolean) : [means];
  const done = job.state === "succeeded";
  const little = job.done ? advice(gain(job.metrics)) : "";
  return [
    element("div", { class: "status-line" },
      element("strong", {}, done ? icon("check") : null, done ? `Took ${duration(history.end?.seconds ?? null)}` :
        left !== null && job.state === "running" ? `${duration(left)} left` : STATES[job.state].label),
      element("span", { class: "muted" }, parts.join(" · "))),
    element("progress", { max: 1, value: job.state === "starting" ? undefined : share, "aria-label": "Training progress" }),
    ...(little ? [element("p", { class: "notice warn" }, little)] : []),
  ];
}

/** Say what has become of the job's model. */
function fate({ model: name, version }, model) {
  if (model === undefined) return "";
  if (model === null) return "Its model was deleted.";
  return model.promoted ? "The model is served." : `The model is version ${version} of ${name}. Another version is served.`;
}

function numbers(job, history) {
  const epoch = history.newest("epochs") ?? job.metrics;
  const step = history.newest("steps") ?? job.metrics;
  const better = gain(epoch);
  const tile = (name, value, hint) => element("div", { class: "tile" }, element("dt", {}, name), element("dd", {}, value),
    element("dd", { class: "hint" }, hint));
  return [
    tile("Best PSNR", decibels(bestPsnr(epoch)), epoch.best_epoch ? `epoch ${epoch.best_epoch}${history.estimated ? ", estimated" : ""}` : ""),
    tile("Gain", better === null ? "–" : `${signed(better)} dB`, "over the noisy pictures"),
    tile("PSNR now", decibels(psnr(epoch)), epoch.epoch ? `epoch ${epoch.epoch}` : ""),
    tile("Loss", loss(step.loss), history.floor === null ? "" : `noise floor ${loss(history.floor)}`),
  ];
}
