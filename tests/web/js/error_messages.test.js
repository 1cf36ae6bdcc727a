import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem, Unreachable } from "../../../service/web/js/api.js";
import { explained, mayPass } from "../../../service/web/js/denoise/error_messages.js";

test("a known problem has a title, advice and the service's own words", () => {
  const error = new Problem({ title: "Content Too Large", status: 413, code: "image_too_large", detail: "the image is 9 x 9" });
  assert.deepEqual(explained(error),
    { title: "The picture is too large", advice: "Make it smaller, or turn off the self-ensemble.", detail: "The image is 9 x 9." });
});

test("an unknown problem has the status as its title", () => {
  assert.deepEqual(explained(new Problem({ title: "I'm a teapot", status: 418 })), { title: "I'm a teapot", advice: "Try again.", detail: "" });
  assert.deepEqual(explained(new Unreachable()), { title: "This did not work", advice: "Try again.", detail: "The service cannot be reached." });
  assert.deepEqual(explained(new Error("")), { title: "This did not work", advice: "Try again.", detail: "" });
});

test("only files that can never be denoised are not tried again", () => {
  for (const code of ["bad_image", "too_many_frames", "body_too_large"]) assert.ok(!mayPass({ code }), code);
  for (const code of ["overloaded", "image_too_large", "several_pages", "internal_error", undefined]) assert.ok(mayPass({ code }), code);
});
