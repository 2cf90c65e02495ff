"""What strangers send, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

any_text = st.text(st.characters(), max_size=50)
"""Any text that Python can hold: half surrogate pairs, controls and unassigned characters too."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value, and what Python's JSON takes besides (NaN)."""
