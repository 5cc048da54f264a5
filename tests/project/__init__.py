"""Tests of the project as a whole: its documents, its wheel, what it costs to import, where its tests are."""
