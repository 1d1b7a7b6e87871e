"""SageMaker's endpoints and training jobs, as far as its documentation and users' reports say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.account import arn, refuse
from tests.fakes.hosting import Hosting
from tests.fakes.wire import RefusedError

WALK = ("Starting", "Downloading", "Training", "Uploading")


@dataclass
class FakeSageMaker(Hosting):
    """An account that hosts and trains."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def _CreateTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["TrainingJobName"]
        self._see_role(asked["RoleArn"])
        if name in self.jobs:
            raise RefusedError(
                code="ResourceInUse", said="Job name must be unique within an account."
            )
        self.jobs[name] = {
            "asked": asked,
            "created": self.now,
            "walk": list(WALK),
            "phase": "Starting",
            "status": "InProgress",
        }
        self._tag(arn("training-job", name), asked)
        return {"TrainingJobArn": arn("training-job", name)}

    def _DescribeTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["TrainingJobName"]
        job = self._job(name)
        request = job["asked"]
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        model = f"{output}/{name}/output/model.tar.gz"  # facts, A2
        if job["walk"]:
            job["phase"] = job["walk"].pop(0)
            if job["phase"] == "Training":
                self._train(name, job, model)
        elif job["status"] == "Stopping":
            job["status"] = job["phase"] = "Stopped"
        elif job["status"] == "InProgress":
            job["status"] = job["phase"] = "Completed"
        answer = {
            "TrainingJobName": name,
            "TrainingJobArn": arn("training-job", name),
            "TrainingJobStatus": job["status"],
            "SecondaryStatus": job["phase"],
            "CreationTime": job["created"],
            # said from the start, whether or not there will be a model: the harder case
            "ModelArtifacts": {"S3ModelArtifacts": model},
            **{key: value for key, value in request.items() if key != "Tags"},
        }
        if "reason" in job:
            answer["FailureReason"] = job["reason"][:1024]
        return answer

    def _StopTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        job = self._job(asked["TrainingJobName"])
        if job["status"] != "InProgress":
            refuse(
                f"The request was rejected because the training job is in status {job['status']}."
            )
        job["status"] = job["phase"] = "Stopping"
        job["walk"] = []
        return {}

    def _train(self, name: str, job: dict[str, Any], model: str) -> None:
        learned = self.runner.train(job["asked"], model)
        self.log("/aws/sagemaker/TrainingJobs", f"{name}/algo-1-1767225600", learned.log)
        if learned.status:
            # facts, A6: the failure file's text after AlgorithmError
            job["reason"] = f"AlgorithmError: {learned.failure}, exit code: {learned.status}"
            job["status"] = job["phase"] = "Failed"
            job["walk"] = []

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            refuse("Requested resource not found.")
        return self.jobs[name]
