"""SageMaker on the desk: jobs, endpoints and transforms in the engine of this machine."""
