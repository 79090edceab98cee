"""Keeping libraries quiet."""

import logging

from segmentation.chatter import silenced


def test_what_is_written_is_not_seen_and_a_handler_made_meanwhile_still_works(capfd):
    with silenced():
        print("notice")
        handler = logging.StreamHandler()  # as TensorFlow makes one when it is imported
    print("result")
    handler.emit(logging.makeLogRecord({"msg": "later"}))
    captured = capfd.readouterr()
    assert captured.out == "result\n" and captured.err == ""
