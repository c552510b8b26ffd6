"""Hooks, one a file."""

from .load_report_hook import LoadReportHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .resume_notice_hook import ResumeNoticeHook

__all__ = ['LoadReportHook', 'PlainCheckpointHook', 'ResumeNoticeHook']
