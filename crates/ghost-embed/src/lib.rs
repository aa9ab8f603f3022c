//! Features or text to shapes and vectors: glossary, field rows, models.
