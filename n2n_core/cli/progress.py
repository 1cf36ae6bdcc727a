"""Show training events on a terminal."""

from __future__ import annotations

from math import inf
from typing import NoReturn

from tqdm import tqdm

from n2n_core.training.run_folder.event_log import Event


def show(event: Event, bar: tqdm[NoReturn]) -> None:
    """Update the bar. Print a line to standard output for each epoch."""
    if event["event"] == "start":
        bar.reset(total=event["total_steps"])
        bar.update(event["step"])
    elif event["event"] == "step":
        bar.update(event["step"] - bar.n)
        bar.set_postfix(loss=f"{event['loss']:.5f}", refresh=False)
    elif event["event"] == "epoch":
        with bar.external_write_mode():
            print(f"epoch {event['epoch']}: {figures(event)}", flush=True)


def figures(event: Event) -> str:
    """Return the validation metrics in one line."""
    if "psnr" in event:
        keys = ("psnr", "psnr_pooled", "noisy_psnr", "noisy_psnr_pooled")
        psnr = {key: inf if event[key] is None else event[key] for key in keys}
        after = f"{psnr['psnr']:.2f} dB per image, {psnr['psnr_pooled']:.2f} pooled"
        return f"PSNR {after} (noisy {psnr['noisy_psnr']:.2f}, {psnr['noisy_psnr_pooled']:.2f})"
    loss = f"validation loss {event['validation_loss']:.5f}"
    if event.get("psnr_estimate") is None:
        return loss
    noisy = event["noisy_psnr_estimate"]
    return f"{loss}, PSNR about {event['psnr_estimate']:.2f} dB" + (f" (noisy {noisy:.2f})" if noisy else "")
