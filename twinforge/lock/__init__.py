"""Exactly which wheels and Debian packages each variant gets, and proof that siblings match.

The order in which a lock is made: :mod:`~twinforge.lock.asked` lists what a variant asks for,
:mod:`~twinforge.lock.siblings` resolves variants that must match, :mod:`~twinforge.lock.explain`
finds the requirement that prevents it, :mod:`~twinforge.lock.parity` checks the outcome, and
:mod:`~twinforge.lock.document` writes it down.
"""
