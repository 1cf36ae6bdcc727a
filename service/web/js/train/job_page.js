// One training, live: figures, curves, samples, log, and what can be done with it.

import { announce, element, icon } from "../dom.js";
import { events, json } from "../api.js";
import { actions } from "./job_actions.js";
import { curves } from "./curves.js";
import { filmstrip } from "./filmstrip.js";
import { advice, bestPsnr, gain, psnr, signed } from "../psnr.js";
import { History } from "./job_history.js";
import { details } from "./job_details.js";
import { progressOf } from "./progress.js";
import { grouped } from "../format.js";
import { STATES, ago, decibels, duration, failure, length, loss } from "./job_states.js";

/** The page of the job in `root`, until the signal. */
export async function run(root, id, signal) {
  let job = await json(`/train-jobs/${encodeURIComponent(id)}`, { signal });
  let model; // that came of it: null if it was deleted, undefined if there is none, or it is being looked for
  const dataset = job.dataset && await json(`/datasets/${job.dataset}`, { signal }).catch(() => null);
  const history = new History();
  const charts = await curves(history);
  signal.addEventListener("abort", () => charts.destroy());
  if (signal.aborted) return charts.destroy();
  const samples = filmstrip(id, history, dataset?.kind === "clean" ? "Clean" : "Other shot", signal);
  const head = element("header", { class: "page-head" });
  const status = element("section", { class: "card status", "aria-label": "Progress" });
  const tiles = element("dl", { class: "tiles" });
  const log = details(id, history, signal);
  root.append(head, status, tiles, charts.node, samples.node, log.node);
  let following = null; // ends the present stream of events
  const buttons = actions(() => ({ job, model, dataset }), (changed) => {
    changeTo(changed);
    if (following.signal.aborted) follow();
  }, signal);
  changeTo(job);
  follow();

  /** Take up the stream from its beginning; it ends when the job is done. */
  function follow() {
    history.again();
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
      samples.tell(data.epoch);
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
    if (job.result && !model) look().catch(() => {}); // what the head says without it is true, too
  }

  async function look() {
    model = await modelOf(job.result, signal);
    head.replaceChildren(...heading(job, dataset, buttons.nodes()));
    figures();
  }

  function figures() {
    status.replaceChildren(...progress(job, history, model));
    tiles.replaceChildren(...numbers(job, history));
    log.tell();
  }
}

/** The version that a job made, if it is still there, or null. */
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
      element("p", { class: "muted" }, `${job.spec.model}, ${length(job.spec)}, from `, from, `; begun ${ago(job.started_at ?? job.created_at)}`)),
    element("div", { class: "page-actions" }, buttons),
  ];
}

/** The bar, and a line that says where it stands. */
function progress(job, history, model) {
  const { share, step, total, left, rate } = progressOf(job, history);
  const means = job.result ? fate(job.result, model) : STATES[job.state].means;
  if (job.error && job.state === "failed") {
    const [what, advice] = failure(job.error.code);
    return [element("p", { class: "notice bad", role: "alert" }, element("strong", {}, what), ` ${advice}`),
      element("p", { class: "muted" }, job.error.detail)];
  }
  const parts = job.state === "running" ? [
    history.newest("steps") && `epoch ${grouped(Math.min(history.newest("steps").epoch + 1, job.spec.epochs))}` +
      (job.spec.max_seconds ? "" : ` of ${grouped(job.spec.epochs)}`),
    step > 0 && `step ${grouped(step)}${job.spec.max_seconds ? "" : ` of ${grouped(total)}`}`,
    rate && `${rate.toFixed(rate < 10 ? 1 : 0)} steps a second`,
  ].filter(Boolean) : [means];
  const done = job.state === "succeeded";
  const little = job.done ? advice(gain(job.metrics)) : "";
  return [
    element("div", { class: "status-line" },
      element("strong", {}, done ? icon("check") : null, done ? `Took ${duration(history.end?.seconds ?? null)}` :
        left !== null && job.state === "running" ? `${duration(left)} left` : STATES[job.state].label),
      element("span", { class: "muted" }, parts.join(" · "))),
    element("progress", { max: 1, value: job.state === "starting" ? undefined : share, "aria-label": "Training done" }),
    ...(little ? [element("p", { class: "notice warn" }, little)] : []),
  ];
}

/** What has become of a job's model. */
function fate({ model: name, version }, model) {
  if (model === undefined) return "";
  if (model === null) return "Its model was deleted.";
  return model.promoted ? "The model is served." : `The model is kept as version ${version} of ${name}; another version is served.`;
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
