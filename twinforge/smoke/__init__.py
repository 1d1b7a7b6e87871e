"""Does an image do what SageMaker and its recipe ask of it? Run as SageMaker runs it, and judged."""
