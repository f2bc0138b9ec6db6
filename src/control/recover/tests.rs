//! Journals and books made to agree, case by case.
