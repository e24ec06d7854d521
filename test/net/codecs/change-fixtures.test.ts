// Changes as managers keep them in their history: what a release wrote stays what it was.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { epoch, generation, incarnation, shardIndex, volumeId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import { decodeChange, encodeChange } from '../../../src/net/codecs/configuration.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const FIXTURE = new URL('../../fixtures/formats/changes-11-12.json', import.meta.url)
const [A, B, C] = [testPeer(1), testPeer(2), testPeer(3)]

const CHANGES: Readonly<Record<string, Change>> = {
  'shards-moved': {
    kind: 'shards-moved',
    reason: 'storage server b is being emptied',
    shards: [
      {
        ...{ volume: volumeId(7), shard: shardIndex(3), expected: epoch(300) },
        replicas: [
          { server: A, state: 'in-sync', incarnation: incarnation(5) },
          { server: C, state: 'syncing', incarnation: incarnation(1) },
        ],
        ...{ stale: [B], generation: generation(2) },
      },
    ],
  },
  'server-state draining': { kind: 'server-state', server: B, state: 'draining' },
  'server-state up': { kind: 'server-state', server: B, state: 'up' },
}

test('changes 11 and 12 are read as they were written, and written as they were', t => {
  const stored = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<string, string>
  t.deepEqual(Object.keys(stored), Object.keys(CHANGES))
  for (const [name, hex] of Object.entries(stored)) {
    const bytes = Buffer.from(hex, 'hex')
    t.deepEqual(decodeChange(bytes), CHANGES[name], name)
    t.equal(Buffer.from(encodeChange(CHANGES[name]!)).toString('hex'), hex, name)
  }
  t.end()
})
