"""Runs ONNX files on what comes as JSON on standard input."""
import base64, json, sys
import numpy, onnxruntime

try:
    import onnx.checker
except ImportError:
    onnx = None


def check(path):
    if onnx is None:
        return "absent"
    try:
        onnx.checker.check_model(path, full_check=True)
        return "passed"
    except Exception as e:
        return str(e)


def do(job):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    runs = []
    for run in job["runs"]:
        feeds = {k: numpy.frombuffer(base64.b64decode(v["data"]), v["type"]).reshape(v["shape"]) for k, v in run.items()}
        out = dict(zip(names, session.run(names, feeds)))
        runs.append({k: {"type": str(v.dtype), "shape": v.shape, "data": base64.b64encode(v.tobytes()).decode()} for k, v in out.items()})
    return {
        "Runtime": "onnxruntime " + onnxruntime.__version__ + " for Python",
        "Checker": check(job["model"]),
        "Ports": {p.name: f"{p.type} {p.shape}" for p in session.get_inputs() + session.get_outputs()},
        "Meta": session.get_modelmeta().custom_metadata_map,
        "Runs": runs,
    }


json.dump([do(job) for job in json.load(sys.stdin)], sys.stdout)
