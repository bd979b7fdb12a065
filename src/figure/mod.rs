//! Figures, one file per figure, drawn from result structs only.
