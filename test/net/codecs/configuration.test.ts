// Configurations, deltas and changes survive the trip into bytes and back; nothing else does.
import { readFileSync } from 'node:fs'
import test from 'tape'
import {
  epoch,
  generation,
  incarnation,
  peerId,
  shardIndex,
  volumeId,
} from '../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import type { Change } from '../../../src/layout/change.js'
import {
  decodeChange,
  decodeConfiguration,
  decodeDelta,
  encodeChange,
  encodeConfiguration,
  encodeDelta,
} from '../../../src/net/codecs/configuration.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { assertSurvivesDamage } from './damage.js'
import { documentedKinds } from './documented-kinds.js'
import { testConfiguration, testVolume } from '../../helpers/configurations.js'
import * as samples from './samples.js'

const ROUNDS = 60

test('configurations, deltas and changes round trip', t => {
  for (let seed = 0; seed < ROUNDS; seed++) {
    const random = new SeededRandom(seed)
    const configuration = samples.configuration(random)
    const delta = samples.delta(random)
    const back = decodeConfiguration(encodeConfiguration(configuration))
    if (seed === 0) t.deepEqual(back, configuration, 'a configuration')
    // tape prints a line for each comparison, so the rest is compared in one.
    const changes = samples.changes(random)
    t.deepEqual(
      [back, decodeDelta(encodeDelta(delta)), changes.map(c => decodeChange(encodeChange(c)))],
      [configuration, delta, changes],
      `seed ${seed}`,
    )
  }
  t.end()
})

test('a long reason is cut, also between two characters', t => {
  const reason = '€'.repeat(2_000)
  const back = decodeChange(encodeChange({ kind: 'shards-reallocated', reason, shards: [] }))
  t.equal(back.kind, 'shards-reallocated')
  if (back.kind === 'shards-reallocated') {
    t.ok(back.reason.length > 300 && reason.startsWith(back.reason), 'a prefix is left')
  }
  t.end()
})

test('kinds of changes are the bytes that docs/protocol.md says, for ever', t => {
  const kindOf = (bytes: Uint8Array): number => bytes[2 + 32 * bytes[1]!]!
  const changes = samples.changes(new SeededRandom(1))
  t.deepEqual(
    new Map(changes.map(change => [change.kind, kindOf(encodeChange(change))])),
    documentedKinds('## Configurations, deltas and changes'),
  )
  t.end()
})

test('damaged configurations, deltas and changes are refused as protocol errors', t => {
  const random = new SeededRandom(7)
  const make = <T>(encode: (value: T) => Uint8Array, sample: () => T): Uint8Array[] =>
    Array.from({ length: ROUNDS }, () => encode(sample()))
  assertSurvivesDamage(t, 'configuration', {
    random,
    decode: decodeConfiguration,
    samples: make(encodeConfiguration, () => samples.configuration(random)),
  })
  assertSurvivesDamage(t, 'delta', {
    random,
    decode: decodeDelta,
    samples: make(encodeDelta, () => samples.delta(random)),
  })
  assertSurvivesDamage(t, 'change', {
    random,
    decode: decodeChange,
    samples: make(encodeChange, () => random.pick(samples.changes(random))),
  })
  t.end()
})

// Written by the releases that wrote them.
const OLDER = new URL('../../fixtures/formats/configurations-1-2.json', import.meta.url)

test('configurations as older managers kept them: one layer, no snapshots', t => {
  const { version1, version2 } = JSON.parse(readFileSync(OLDER, 'utf8')) as Record<string, string>
  const client = peerId('ab'.repeat(32))
  const since = '2026-01-01T00:00:00.000Z'
  const attachment = { client, host: 'h', mode: 'exclusive' as const, since }
  for (const [hex, attachments] of [[version1, []] as const, [version2, [attachment]] as const]) {
    const decoded = decodeConfiguration(Buffer.from(hex!, 'hex'))
    const volumes = new Map([[volumeId(1), { ...testVolume(), attachments }]])
    t.deepEqual(decoded, testConfiguration({ volumes, nextVolume: volumeId(7) }))
  }
  t.end()
})

// Written by the release before there were clones.
const VERSION_3 = new URL('../../fixtures/formats/snapshots-3.json', import.meta.url)

test('snapshots as older managers kept them: made here, no clones, no schedules', t => {
  const stored = JSON.parse(readFileSync(VERSION_3, 'utf8')) as Record<string, string>
  const at = '2026-01-01T00:00:00.000Z'
  const { size } = testVolume()
  const volume = testVolume({
    layers: [
      { id: 1, parent: 0, covers: [{ first: 1, last: 1 }] },
      { id: 3, parent: 1, covers: [{ first: 2, last: 3 }] },
    ],
    snapshots: [{ name: 's', layer: 1, at, epoch: epoch(7), size, source: null }],
    seal: { epoch: epoch(9), name: 't' },
  })
  const volumes = new Map([[volumeId(1), volume]])
  t.deepEqual(
    decodeConfiguration(Buffer.from(stored['configuration3']!, 'hex')),
    testConfiguration({ volumes, nextVolume: volumeId(7) }),
  )
  const shards = [epoch(7), epoch(300)]
  const change: Change = {
    ...{ kind: 'snapshots-created', sealed: epoch(70_000), at },
    snapshots: [{ volume: volumeId(1), name: 's', shards, source: null }],
  }
  t.deepEqual(decodeChange(Buffer.from(stored['change1']!, 'hex')), change)
  t.equal(Buffer.from(encodeChange(change)).toString('hex'), stored['change1'], 'and so written')
  t.end()
})

test('another format is named in the error', t => {
  const bytes = encodeChange({ kind: 'volume-deleted', volume: volumeId(1) })
  bytes[0] = 9
  try {
    decodeChange(bytes)
    t.fail('decoded')
  } catch (error) {
    t.ok(isSwarmdiskError(error, 'protocol'))
    t.match((error as Error).message, /format 9/)
  }
  t.end()
})

test('1024 shards with three replicas each take at most 20 KiB', t => {
  const replicas = [1, 2, 3].map(n => ({
    server: peerId(String(n).repeat(64)),
    state: 'in-sync' as const,
    incarnation: incarnation(1),
  }))
  const allocation = { epoch: epoch(90), generation: generation(0), replicas, stale: [] }
  const bytes = encodeDelta({
    ...samples.delta(new SeededRandom(3)),
    servers: [],
    volumes: [],
    shards: Array.from({ length: 1024 }, (_, index) => ({
      volume: volumeId(1),
      shard: shardIndex(index),
      allocation,
    })),
  })
  t.ok(bytes.length < 20 * 1024, `${bytes.length} bytes`)
  t.end()
})
