import test from 'tape'
import { parseOutput } from '../../../bench/shared/fio.js'

function side(iops: number, p99: number): object {
  const percentile = { '50.000000': 20_000, '99.000000': p99 }
  return { iops, bw_bytes: iops * 4096, io_bytes: iops * 8192, lat_ns: { percentile } }
}

function output(read: object, write: object): string {
  return `fio: a note\n${JSON.stringify({ jobs: [{ read, write }] })}`
}

test('the side of a job that was asked for', t => {
  const idle = { iops: 0, bw_bytes: 0, io_bytes: 0, lat_ns: {} }
  const measured = parseOutput(output(side(1000, 90_000), idle), { pattern: 'randread' })
  t.deepEqual(measured, {
    ...{ iops: 1000, megabytes: 4.096, bytes: 8_192_000 },
    ...{ p50Microseconds: 20, p99Microseconds: 90 },
  })
  const { iops } = parseOutput(output(side(1000, 1), side(7, 1)), { pattern: 'write' })
  t.equal(iops, 7, 'writes')
  t.end()
})

test('a job that reads and writes is both together', t => {
  const text = output(side(1000, 90_000), side(500, 120_000))
  const { iops, bytes, p99Microseconds } = parseOutput(text, { pattern: 'randrw' })
  t.equal(iops, 1500)
  t.equal(bytes, 1500 * 8192)
  t.equal(p99Microseconds, 120, 'as slow as the slower side')
  t.throws(() => parseOutput('{"jobs": []}', { pattern: 'read' }), /no job/)
  t.end()
})
