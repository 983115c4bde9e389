"""Web pages that open from disk: the result page of a test and the page of a training. Knows no torch."""

from util.report.result_page import ResultRow, write_result_page
from util.report.training_page import TrainingPage

__all__ = ["ResultRow", "TrainingPage", "write_result_page"]
