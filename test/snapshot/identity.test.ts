import test from 'tape'
import { clusterId, volumeId } from '../../src/base/brands.js'
import { SNAPSHOT_SOURCE_LENGTH_MAX } from '../../src/base/limits.js'
import {
  IDENTITY_LENGTH_MAX,
  identityOf,
  identityProblem,
  importMark,
  isMark,
} from '../../src/snapshot/identity.js'

const CLUSTER = clusterId('0123456789abcdef0123456789abcdef')

test('a snapshot made here is cluster, volume and layer; an imported one keeps what it was', t => {
  const place = { cluster: CLUSTER, volume: volumeId(7) }
  const own = identityOf(place, { source: null, layer: 12 })
  t.equal(own, `${CLUSTER}/7/12`)
  t.equal(identityOf(place, { source: 'there/1/2', layer: 12 }), 'there/1/2')
  t.equal(identityProblem(own), null)
  t.end()
})

test('what is no identity', t => {
  t.equal(identityProblem('x'.repeat(IDENTITY_LENGTH_MAX)), null)
  t.ok(importMark('x'.repeat(IDENTITY_LENGTH_MAX)).length <= SNAPSHOT_SOURCE_LENGTH_MAX)
  t.match(identityProblem('x'.repeat(IDENTITY_LENGTH_MAX + 1)) ?? '', /too long/)
  t.match(identityProblem('') ?? '', /characters/)
  t.match(identityProblem('a b') ?? '', /characters/)
  t.match(identityProblem(importMark(null)) ?? '', /broken off/, 'nobody exports a mark')
  t.ok(isMark(importMark('a/1/2')))
  t.notOk(isMark('a/1/2'))
  t.notOk(isMark(null))
  t.end()
})
