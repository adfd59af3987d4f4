"""Filters of lists: `parser` reads the grammar of AIP-160, `fields` checks names and types (docs/filters.md).

Another grammar only needs another parser: it makes the tree of `syntax`, and everything behind it stays the same.
"""
