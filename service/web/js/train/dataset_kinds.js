// Kinds of datasets with the file names that they need, and noise for clean pictures.

/** Kinds of datasets, by the API's `kind`. `shots`: whether a scene has several. */
export const KINDS = {
  pairs: {
    title: "Noisy pairs",
    what: "Two noisy shots of each scene, with the camera on a tripod or the sample on a microscope stage.",
    files: "Two folders with the same file names (first/001.png, second/001.png), or names such as 001_a.png and 001_b.png.",
    shots: true,
  },
  bursts: {
    title: "Bursts",
    what: "Several noisy shots of each scene. Any two of them make a pair.",
    files: "A folder for each scene, or names such as 001_1.png, 001_2.png, 001_3.png.",
    shots: true,
  },
  single: {
    title: "Single noisy pictures",
    what: "One noisy shot of each scene. The noise of neighbouring pixels must be independent: raw pictures, not JPEGs.",
    files: "Any names. Each picture is a scene.",
    shots: false,
  },
  clean: {
    title: "Clean pictures",
    what: "Pictures without noise. The training adds the noise that you choose.",
    files: "Any names. Each picture is a scene.",
    shots: false,
  },
};

/** Noise for clean pictures: one number that the visitor chooses; `make(value)` returns the API's `corruption`. */
export const NOISES = {
  blind: {
    title: "Any kind and level",
    label: "Strongest noise (0–255 scale)", value: 55, least: 1, most: 128,
    make: (value) => ({ name: "blind", sigma: value / 255 }),
  },
  gaussian: {
    title: "Gaussian, one level",
    label: "Standard deviation (0–255 scale)", value: 25, least: 1, most: 128,
    make: (value) => ({ name: "gaussian", sigma: value / 255 }),
  },
  poisson: {
    title: "Poisson (few photons)",
    label: "Photons per white pixel", value: 30, least: 1, most: 100_000,
    make: (value) => ({ name: "poisson", lam: value }),
  },
  camera: {
    title: "Developed camera photos",
    label: "Photons per white pixel", value: 100, least: 1, most: 100_000,
    make: (value) => ({ name: "camera", lam: value }),
  },
};
