// What pictures can be trained on, how their files are to be named, and what noise clean ones get.

/** By the API's `kind`. */
export const KINDS = {
  pairs: {
    title: "Noisy pairs",
    what: "Two noisy shots of each scene, from a tripod or a stage.",
    files: "Two folders with the same file names (first/001.png, second/001.png), or names such as 001_a.png and 001_b.png.",
    shots: true,
  },
  bursts: {
    title: "Bursts",
    what: "Several noisy shots of each scene: any two of them make a pair.",
    files: "A folder for each scene, or names such as 001_1.png, 001_2.png, 001_3.png.",
    shots: true,
  },
  single: {
    title: "Single noisy pictures",
    what: "One noisy shot of each scene, where the noise of neighbouring pixels is independent: raw pictures, no JPEGs.",
    files: "Any names; every picture is a scene.",
    shots: false,
  },
  clean: {
    title: "Clean pictures",
    what: "Pictures without noise; the training adds noise of your choice.",
    files: "Any names; every picture is a scene.",
    shots: false,
  },
};

/** Noise for clean pictures: the one figure that people choose, and the description that the API takes. */
export const NOISES = {
  blind: {
    title: "Of any kind and level",
    label: "Strongest noise, of 255", value: 55, least: 1, most: 128,
    make: (value) => ({ name: "blind", sigma: value / 255 }),
  },
  gaussian: {
    title: "Gaussian, of one level",
    label: "Standard deviation, of 255", value: 25, least: 1, most: 128,
    make: (value) => ({ name: "gaussian", sigma: value / 255 }),
  },
  poisson: {
    title: "Of few photons (Poisson)",
    label: "Photons of a white pixel", value: 30, least: 1, most: 100_000,
    make: (value) => ({ name: "poisson", lam: value }),
  },
  camera: {
    title: "Of a camera's developed photos",
    label: "Photons of a white pixel", value: 100, least: 1, most: 100_000,
    make: (value) => ({ name: "camera", lam: value }),
  },
};
