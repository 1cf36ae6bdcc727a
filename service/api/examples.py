"""Examples of responses for the OpenAPI document."""

from typing import Any

from service.http.problem_types import DATASET_ID, JOB_ID

JSON = dict[str, Any]

SHA256 = "5f0c3b1e2d6a4f0c9d1b7a3e8c2f4d6b5f0c3b1e2d6a4f0c9d1b7a3e8c2f4d6b"
CREATED, UPDATED = "2026-11-26T08:00:00Z", "2026-11-26T08:04:10Z"

MODEL: JSON = {
    "id": "mine",
    "name": "mine",
    "version": 1,
    "promoted": True,
    "source": "trained",
    "created_at": UPDATED,
    "lineage": {"job": JOB_ID, "dataset": DATASET_ID},
    "bytes": 538132,
    "task": "trained here",
    "default": False,
    "parameters": 134203,
    "unavailable": None,
    "sha256": SHA256,
    "architecture": {"family": "strided-autoencoder", "channels": 3, "hidden": 100},
    "recipe": {"model": "scratch", "epochs": 10, "batch_size": 8, "lr": 0.1},
    "data": {"pairs": 180},
    "metrics": {"noisy_psnr": 20.4, "psnr": 28.1},
    "licence": "",
}

REPORT: JSON = {
    "fingerprint": SHA256,
    "scenes": 200,
    "verdict": "fine",
    "checks": [
        {
            "name": "clipped",
            "verdict": "fine",
            "figure": 0.002,
            "unit": "share of the values",
            "message": "0.2 % of the values are 0 or 1",
            "advice": "",
        }
    ],
    "cells": [{"scene": 7, "shown": "first", "x": 0, "y": 0, "width": 128, "height": 128}],
}
DATASET: JSON = {
    "id": DATASET_ID,
    "name": "microscope",
    "kind": "pairs",
    "state": "ready",
    "created_at": CREATED,
    "updated_at": CREATED,
    "bytes": 1228800,
    "counts": {"scenes": 200, "pictures": 400, "sizes": [[32, 32, 200]]},
    "statistics": {"low": 0.0, "high": 1.0, "mean": 0.48, "clipped": 0.002, "sigma": 0.1, "sampled": 200},
    "report": REPORT,
    "options": {"rule": "{scene}_{shot}", "fingerprint": SHA256},
}

TRAIN_JOB: JSON = {
    "id": JOB_ID,
    "name": "mine",
    "dataset": DATASET_ID,
    "validation_dataset": None,
    "base_sha256": None,
    "state": "running",
    "done": False,
    "created_at": CREATED,
    "started_at": CREATED,
    "updated_at": UPDATED,
    "finished_at": None,
    "progress": {
        "step": 90,
        "total_steps": 230,
        "fraction": 0.39,
        "eta_seconds": 6.2,
        "phase": "training",
    },
    "metrics": {"step": 90, "loss": 0.0112, "psnr": 27.3},
    "attempt": 1,
    "max_attempts": 3,
    "resumable": False,
    "device": "cpu",
    "spec": {"model": "scratch", "epochs": 10, "batch_size": 8},
    "result": None,
    "error": None,
    "links": {"self": f"/train-jobs/{JOB_ID}", "events": f"/train-jobs/{JOB_ID}/events"},
}
JOB_METRICS: JSON = {
    "history": [
        {"event": "step", "step": 20, "loss": 0.0181},
        {"event": "epoch", "step": 23, "epoch": 1, "psnr": 25.9},
    ]
}
SAMPLE_LIST: JSON = {
    "samples": [
        {
            "name": "epoch-0001.png",
            "epoch": 1,
            "href": f"/train-jobs/{JOB_ID}/samples/epoch-0001.png",
        }
    ],
    "grid": {
        "columns": ["noisy", "denoised", "reference"],
        "rows": 4,
        "x": 4,
        "y": 20,
        "width": 128,
        "height": 96,
        "pitch": 132,
    },
}

DENOISE_REPORT: JSON = {
    "model": "torch",
    "version": 1,
    "sha256": SHA256,
    "noise": {"before": 14.62, "after": 1.87, "unit": "grey levels of 0 to 255"},
    "strength": 1.0,
    "self_ensemble": {"spread_mean": 0.61, "spread_p95": 1.42},
    "stretch": None,
    "reference": {"psnr_before": 24.81, "psnr_after": 31.02, "ssim_before": 0.52, "ssim_after": 0.89},
    "pages": 1,
    "width": 512,
    "height": 384,
    "bits": 8,
    "format": "png",
    "window": [132, 132],
    "halo": 4,
    "period": 1,
    "tiles": 96,
    "device": "cpu",
    "milliseconds": {"decode": 6.1, "queue": 0.2, "inference": 1830.5, "measure": 95.3, "encode": 3.4},
}

EXAMPLES: dict[str, JSON] = {
    "Model": MODEL,
    "ModelList": {"models": [MODEL]},
    "ModelVersions": {"versions": [MODEL]},
    "Dataset": DATASET,
    "DatasetList": {"datasets": [DATASET], "next_page_token": None},
    "DatasetReport": REPORT,
    "DatasetFolder": {"kind": "pairs", "name": "microscope", "path": "2026/shots"},
    "TrainJobRequest": {"dataset": DATASET_ID},
    "TrainJob": TRAIN_JOB,
    "TrainJobList": {"jobs": [TRAIN_JOB], "next_page_token": None},
    "JobMetrics": JOB_METRICS,
    "SampleList": SAMPLE_LIST,
    "DenoiseReport": DENOISE_REPORT,
    "Health": {"status": "ok"},
    "Readiness": {"status": "ready", "models": ["scratch", "torch", "unet"], "device": "cpu"},
}
"""Examples by the name of their schema."""

EVENTS = 'event: step\nid: 1\ndata: {"event":"step","step":20,"loss":0.0181}\n\n'
METRICS_TABLE = "event,step,loss\r\nstep,20,0.0181\r\n"
LOG = "step 20 of 230, loss 0.0181\n"
PROMETHEUS = 'n2n_requests_total{method="POST",route="/denoise",status="200"} 1.0\n'
