// What a program does with the types that openapi-typescript makes: node exercise.js ADDRESS PICTURES.
import createClient from "openapi-fetch";
import type { components, paths } from "./n2n.js";

declare const process: { argv: string[] };

type Job = components["schemas"]["TrainJob"];

function check(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(`expected ${what}`);
}

/** The generator's type of a file in a form is string; what is sent is a Blob. */
const asField = (file: Blob): string => file as unknown as string;

const form = (body: unknown): FormData => {
  const data = new FormData();
  for (const [name, value] of Object.entries(body as object)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item instanceof File) data.append(name, item, item.name);
      else if (item instanceof Blob) data.append(name, item, "image.png");
      else data.append(name, typeof item === "object" ? JSON.stringify(item) : String(item));
    }
  }
  return data;
};

const [, , address, noisyBase64, cleanBase64] = process.argv;
check(address && noisyBase64 && cleanBase64, "an address and two pictures");
const picture = (base64: string): Blob =>
  new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "image/png" });
const [noisy, clean] = [picture(noisyBase64), picture(cleanBase64)];
const client = createClient<paths>({ baseUrl: address });

async function denoise(): Promise<void> {
  const image = await client.POST("/denoise", {
    params: { query: { model: "scratch", format: "webp" } },
    body: { file: asField(noisy) },
    bodySerializer: form,
    parseAs: "blob",
  });
  check(image.data instanceof Blob && image.data.type === "image/webp", "a WebP");
  check(image.response.headers.get("N2N-Model") === "scratch", "the model's name");

  const answer = await client.POST("/denoise", {
    params: { query: { report: "multipart" } },
    body: { file: asField(noisy), reference: asField(clean) },
    bodySerializer: form,
    parseAs: "stream",
  });
  const parts = await new Response(answer.data as unknown as ReadableStream, {
    headers: { "Content-Type": answer.response.headers.get("Content-Type") ?? "" },
  }).formData();
  const report = JSON.parse(String(parts.get("report"))) as components["schemas"]["DenoiseReport"];
  check(report.reference && report.width === 40, "a report with its reference");
  check(parts.get("image") instanceof Blob, "a picture beside the report");
}

async function meetProblems(): Promise<void> {
  const { error, response } = await client.GET("/models/{model}", { params: { path: { model: "best" } } });
  check(error && response.status === 404, "a problem");
  check(error.code === "unknown_model" && error.detail.includes("'best'"), "its code and its reason");
  // @ts-expect-error: what the document does not have does not compile.
  const missing = await client.GET("/model/{model}", { params: { path: { model: "scratch" } } });
  check(missing.response.status === 404, "no such endpoint");
}

async function train(): Promise<Job> {
  const shots = Array.from({ length: 16 }, (_, index) => {
    const name = `${String(index >> 1).padStart(2, "0")}_${index & 1}.png`;
    return asField(new File([index & 1 ? noisy : clean], name, { type: "image/png" }));
  });
  const dataset = await client.POST("/datasets", {
    body: { kind: "pairs", name: "typescript", pages: "shots", file: shots },
    bodySerializer: form,
  });
  check(dataset.data, `a dataset, not ${JSON.stringify(dataset.error)}`);
  const made = await client.POST("/train-jobs", {
    params: { header: { "Idempotency-Key": "typescript" } },
    body: { dataset: dataset.data.id, model: "scratch", epochs: 1, batch_size: 8, crop: 16, force: true },
  });
  check(made.data, `a job, not ${JSON.stringify(made.error)}`);
  let job: Job = made.data;
  while (!job.done) {
    const found = await client.GET("/train-jobs/{job}", {
      params: { path: { job: job.id }, header: { prefer: "wait=10" } },
    });
    check(found.data, `the job, not ${JSON.stringify(found.error)}`);
    job = found.data;
  }
  return job;
}

async function useTheModel(job: Job): Promise<void> {
  check(job.state === "succeeded" && job.result, `a model, not ${JSON.stringify(job.error)}`);
  const { data } = await client.GET("/models");
  const model = data?.models.find((one) => one.name === job.name);
  check(model?.sha256 === job.result.sha256, "the new model in the list");
}

await denoise();
await meetProblems();
await useTheModel(await train());
