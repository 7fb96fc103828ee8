// Runs ONNX files on what comes as JSON on standard input.
const ort = require('onnxruntime-node');
const fs = require('fs');
const arrays = { float32: Float32Array, int64: BigInt64Array };

function read(x) {
  const bytes = new Uint8Array(Buffer.from(x.data, 'base64'));
  return new ort.Tensor(x.type, new arrays[x.type](bytes.buffer), x.shape);
}

function write(v) {
  const data = Buffer.from(v.data.buffer, v.data.byteOffset, v.data.byteLength).toString('base64');
  return { type: v.type, shape: v.dims, data };
}

async function work(job) {
  const session = await ort.InferenceSession.create(job.model, { intraOpNumThreads: 1 });
  const runs = [];
  for (const run of job.runs) {
    const out = await session.run(Object.fromEntries(Object.entries(run).map(([name, x]) => [name, read(x)])));
    runs.push(Object.fromEntries(session.outputNames.map((name) => [name, write(out[name])])));
  }
  const version = require('onnxruntime-node/package.json').version;
  return { Runtime: 'onnxruntime-node ' + version, Checker: 'absent', Runs: runs };
}

async function main() {
  const reports = [];
  for (const job of JSON.parse(fs.readFileSync(0))) reports.push(await work(job));
  process.stdout.write(JSON.stringify(reports));
}
main().catch((e) => { console.error(e); process.exit(1); });
