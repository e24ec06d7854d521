import test from 'tape'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { benchResult, renderBench } from '../../../src/cli/render/bench.js'
import { benchJobs } from '../../../src/client/bench/jobs.js'

const [READ, READ_16, WRITE] = benchJobs({ depth: null, blockSize: null })
const LATENCY = { p50: 0.000_123_456_7, p99: 0.001, max: 10.25 }

test('what was measured, for scripts', t => {
  const measured = [{ job: READ!, onData: false, seconds: 3, operations: 10, latency: LATENCY }]
  const skipped = [{ job: WRITE!, reason: 'there is none' }]
  const result = benchResult('data', { measured, skipped, error: null })
  t.deepEqual(result, {
    volume: 'data',
    jobs: [
      {
        ...{ name: '4 KiB random read, depth 1', blockSize: 4096, depth: 1 },
        ...{ operations: 10, onData: false, seconds: 3, iops: 3.333333, bytesPerSecond: 13653 },
        latency: { p50: 0.000123, p99: 0.001, max: 10.25 },
      },
    ],
    skipped: [{ name: '4 KiB random write, depth 1', reason: 'there is none' }],
  })
  const error = new SwarmdiskError('aborted', 'Interrupted.')
  t.deepEqual(benchResult('data', { measured, skipped, error }).error, {
    code: 'aborted',
    message: 'Interrupted.',
  })
  t.end()
})

test('and for people', t => {
  const one = { seconds: 2, operations: 20_000, latency: LATENCY }
  const measured = [
    { job: READ!, onData: true, ...one },
    { job: WRITE!, onData: true, ...one, operations: 3 },
  ]
  const result = benchResult('data', { measured, skipped: [], error: null })
  t.deepEqual(renderBench(result).split('\n'), [
    'JOB                          PER SECOND  MB/S  MEDIAN US  P99 US    MAX US',
    '4 KiB random read, depth 1        10000  41.0        123    1000  10250000',
    '4 KiB random write, depth 1           2   0.0        123    1000  10250000',
  ])
  const holes = benchResult('data', {
    measured: [READ!, READ_16!].map(job => ({ job, onData: false, ...one })),
    skipped: [{ job: WRITE!, reason: 'there is none' }],
    error: null,
  })
  const [, , , empty, ...notes] = renderBench(holes).split('\n')
  t.equal(empty, '')
  t.equal(notes[0], '4 KiB random write, depth 1: left out, since there is none.')
  t.match(
    notes[1] ?? '',
    /^4 KiB random read, depth 1; 4 KiB random read, depth 16: .*measures the network\.$/,
  )
  t.end()
})
