"""Writes tensorboard.golden, an event file by TensorBoard's own writer, with fixed times.

    python make.py tensorboard.golden

tensorboard 2.21.0. The sound and the picture are stand-ins of a few bytes: the writer does not look at them.
"""
import io
import sys

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2, tensor_shape_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

out = io.BytesIO()
w = RecordWriter(out)


def write(**kw):
    w.write(event_pb2.Event(**kw).SerializeToString(deterministic=True))


V = summary_pb2.Summary.Value
write(wall_time=1700000000.25, file_version="brain.Event:2")
write(wall_time=1700000001.5, step=10, summary=summary_pb2.Summary(value=[
    V(tag="learning_rate", simple_value=0.002), V(tag="train/loss", simple_value=-12.5), V(tag="val/zero", simple_value=0.0)]))
write(wall_time=1700000002.0, step=300, summary=summary_pb2.Summary(value=[
    V(tag="previews", image=summary_pb2.Summary.Image(height=20, width=300, colorspace=3, encoded_image_string=b"png"))]))
write(wall_time=1700000003.0, step=300, summary=summary_pb2.Summary(value=[
    V(tag="previews/three/1", audio=summary_pb2.Summary.Audio(
        sample_rate=8000, num_channels=1, length_frames=4000, encoded_audio_string=b"wav", content_type="audio/wav"))]))
write(wall_time=1700000004.0, step=1 << 40, summary=summary_pb2.Summary(value=[
    V(tag="notes", tensor=tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]), string_val=[b"- collapse: saw; try: this"]),
      metadata=summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")))]))
open(sys.argv[1], "wb").write(out.getvalue())
