"""The first files of a recipe: what ``twinforge new`` writes."""
