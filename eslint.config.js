// What `npm run lint` looks for: faults, not style.

import js from "@eslint/js";
import globals from "globals";

// Properties of `window` with everyday names: a variable that was never declared would silently read them.
const EVERYDAY = ["close", "closed", "event", "external", "find", "focus", "frames", "length", "name", "open", "opener", "origin",
  "parent", "print", "screen", "scroll", "self", "status", "stop", "top"];

const MARKUP = "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|write|writeln)$/]";

export default [
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": ["error", { treatUndefinedAsUnspecified: true }],
      "default-case-last": "error",
      eqeqeq: "error",
      "no-constructor-return": "error",
      "no-promise-executor-return": "error",
      "no-restricted-globals": ["error", ...EVERYDAY],
      "no-self-compare": "error",
      "no-shadow": ["error", { ignoreOnInitialization: true }],
      "no-template-curly-in-string": "error",
      "no-unmodified-loop-condition": "error",
      "no-unreachable-loop": "error",
      "no-unused-expressions": "error",
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "prefer-const": "error",
      "require-atomic-updates": ["error", { allowProperties: true }],
    },
  },
  {
    files: ["service/web/js/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: {
      "no-implied-eval": "error",
      "no-restricted-syntax": ["error", { selector: MARKUP, message: "Build elements with `element`: strings are never read as markup." }],
    },
  },
  { files: ["service/web/js/early_theme.js"], languageOptions: { sourceType: "script" } },
  { files: ["tests/web/js/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.nodeBuiltin } },
];
