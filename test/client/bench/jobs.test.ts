import test from 'tape'
import { JOBS } from '../../../bench/shared/jobs.js'
import { benchJobs, sizeText } from '../../../src/client/bench/jobs.js'

const AS_THEY_ARE = { depth: null, blockSize: null }

test('the jobs, under the names of the suite where they are the same', t => {
  const names = benchJobs(AS_THEY_ARE).map(({ name }) => name)
  t.deepEqual(names, [
    '4 KiB random read, depth 1',
    '4 KiB random read, depth 16',
    '4 KiB random write, depth 1',
    '4 KiB random write, depth 16',
    '4 KiB write + flush, depth 1',
    '1 MiB sequential read, depth 8',
    '1 MiB sequential write, depth 8',
  ])
  const suite = JOBS.map(({ name }) => name)
  const other = names.filter(name => !suite.includes(name))
  t.deepEqual(other, ['4 KiB write + flush, depth 1'], 'there it is an fsync')
  t.end()
})

test('one depth or one size for all: no job is there twice', t => {
  const names = (depth: number | null, blockSize: number | null): readonly string[] =>
    benchJobs({ depth, blockSize }).map(({ name }) => name)
  t.deepEqual(names(4, null), [
    '4 KiB random read, depth 4',
    '4 KiB random write, depth 4',
    '4 KiB write + flush, depth 4',
    '1 MiB sequential read, depth 4',
    '1 MiB sequential write, depth 4',
  ])
  t.equal(names(null, 65536).length, 7)
  t.ok(names(null, 65536).every(name => name.startsWith('64 KiB ')))
  t.deepEqual(names(2, 2 ** 20)[0], '1 MiB random read, depth 2')
  t.end()
})

test('sizes of whole blocks', t => {
  const cases: readonly [number, string][] = [
    [4096, '4 KiB'],
    [12288, '12 KiB'],
    [2 ** 20, '1 MiB'],
    [2 ** 20 + 4096, '1028 KiB'],
    [2 ** 24, '16 MiB'],
  ]
  for (const [bytes, text] of cases) t.equal(sizeText(bytes), text)
  t.end()
})
