import test from 'tape'
import { VOLUME_BYTES_MAX } from '../../src/base/limits.js'
import {
  majority,
  minInSyncProblem,
  nameProblem,
  replicasProblem,
  sizeProblem,
} from '../../src/layout/names.js'

const sentence = /^.+: .+\.$/

test('names', t => {
  for (const name of ['a', 'Data-1', 'x.y_z', '...', 'a'.repeat(64)]) {
    t.equal(nameProblem('volume name', name), null, name)
  }
  for (const name of ['', '.', '..', 'a/b', 'a b', 'ä', 'a\n', 'a\0', 'a'.repeat(65)]) {
    t.match(nameProblem('volume name', name) ?? '', sentence, JSON.stringify(name))
  }
  t.end()
})

test('sizes', t => {
  for (const size of [4096, 2 ** 30, VOLUME_BYTES_MAX]) t.equal(sizeProblem(size), null, `${size}`)
  const bad = [0, -4096, 1, 4097, 4096.5, NaN, Infinity, VOLUME_BYTES_MAX + 4096]
  for (const size of bad) t.match(sizeProblem(size) ?? '', sentence, `${size}`)
  t.match(sizeProblem(5000) ?? '', /use 8192/, 'says which size would do')
  t.end()
})

test('replicas and the minimum in sync', t => {
  for (const n of [1, 3, 7]) t.equal(replicasProblem(n), null, `${n} replicas`)
  for (const n of [0, 8, -1, 1.5, NaN]) t.match(replicasProblem(n) ?? '', sentence, `${n}`)
  t.equal(minInSyncProblem(1, 1), null)
  t.equal(minInSyncProblem(3, 3), null)
  for (const n of [0, 4, 1.5]) t.match(minInSyncProblem(n, 3) ?? '', sentence, `${n} of 3`)
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(majority), [1, 2, 2, 3, 3, 4, 4])
  t.end()
})
