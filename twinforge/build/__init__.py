"""How it is made: bases, plan, scheduler and BuildKit."""
