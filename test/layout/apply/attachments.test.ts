// Who may write: who gets access, who is refused, and that whoever loses it is fenced.
import test from 'tape'
import { AssertionFailure } from '../../../src/base/assert.js'
import { volumeId, type PeerId } from '../../../src/base/brands.js'
import { ATTACHMENTS_MAX } from '../../../src/base/limits.js'
import { apply } from '../../../src/layout/apply.js'
import type { ChangeOf } from '../../../src/layout/change.js'
import type { AccessMode, Configuration } from '../../../src/layout/configuration.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { clusterWithVolume, must, refusal, VOLUME } from '../clusters.js'

const A = testPeer(0xa1)
const B = testPeer(0xb1)
const C = testPeer(0xc1)
const SINCE = '2026-01-01T00:00:00.000Z'
const before = clusterWithVolume()

function attach(
  client: PeerId,
  mode: AccessMode,
  fields: Partial<ChangeOf<'volume-attached'>> = {},
): ChangeOf<'volume-attached'> {
  const named = { volume: VOLUME, client, host: `host-${client.slice(-2)}`, mode, since: SINCE }
  return { kind: 'volume-attached', ...named, takeover: false, ...fields }
}

const detach = (client: PeerId): ChangeOf<'volume-detached'> => {
  return { kind: 'volume-detached', volume: VOLUME, client }
}

function holders(configuration: Configuration): string {
  const { attachments } = configuration.volumes.get(VOLUME)!
  return attachments.map(({ client, mode }) => `${client.slice(-2)} ${mode}`).join(', ')
}

/** Every shard has a new allocation, in which nobody's place is another one. */
function fencedBy(t: test.Test, after: Configuration, from: Configuration): void {
  const olds = from.volumes.get(VOLUME)!.shards
  const nows = after.volumes.get(VOLUME)!.shards
  t.ok(
    nows.every(shard => shard.epoch === after.epoch),
    'all shards have a new allocation',
  )
  t.deepEqual(
    nows.map(shard => ({ ...shard, epoch: 0 })),
    olds.map(shard => ({ ...shard, epoch: 0 })),
    'with the same replicas',
  )
}

test('one writer, or several that share', t => {
  const table: readonly (readonly [AccessMode, AccessMode, 'in-use' | null])[] = [
    ['exclusive', 'exclusive', 'in-use'],
    ['exclusive', 'shared', 'in-use'],
    ['shared', 'exclusive', 'in-use'],
    ['shared', 'shared', null],
  ]
  for (const [first, second, expected] of table) {
    const held = must(before, attach(A, first))
    t.equal(refusal(held, attach(B, second)), expected, `${first}, then ${second}`)
  }
  const held = must(before, attach(A, 'exclusive'))
  t.equal(holders(held), 'a1 exclusive')
  t.equal(held.volumes.get(VOLUME)!.shards, before.volumes.get(VOLUME)!.shards, 'nobody is fenced')
  t.equal(refusal(held, attach(A, 'exclusive')), 'no-change', 'the same once more')
  t.equal(refusal(before, attach(A, 'shared', { volume: volumeId(99) })), 'no-such-volume')
  t.equal(refusal(before, attach(A, 'shared', { host: '' })), 'bad-name')
  t.equal(refusal(before, attach(A, 'shared', { host: 'a b' })), 'bad-name')
  t.equal(refusal(before, attach(A, 'shared', { since: 'yesterday' })), 'bad-name')
  t.end()
})

test('the refusal says who has it, where and since when, and what to do', t => {
  const outcome = apply(must(before, attach(A, 'exclusive')), attach(B, 'exclusive'))
  const reason = outcome.kind === 'refused' ? outcome.reason : ''
  t.match(reason, /"data" is attached at host host-a1 \(client 00000000\) since 2026-01-01T00:00/)
  t.match(reason, /--takeover/)
  t.end()
})

test('taking over fences whoever was in the way, in one step', t => {
  const held = must(before, attach(A, 'exclusive'))
  const taken = must(held, attach(B, 'exclusive', { takeover: true }))
  t.equal(holders(taken), 'b1 exclusive')
  fencedBy(t, taken, held)

  const two = must(must(before, attach(A, 'shared')), attach(B, 'shared'))
  t.equal(holders(two), 'a1 shared, b1 shared')
  t.equal(holders(must(two, attach(C, 'exclusive', { takeover: true }))), 'c1 exclusive')
  const three = must(two, attach(C, 'shared', { takeover: true }))
  t.equal(holders(three), 'a1 shared, b1 shared, c1 shared', 'who shares is in nobody’s way')
  t.equal(three.volumes.get(VOLUME)!.shards, two.volumes.get(VOLUME)!.shards)
  const free = must(before, attach(A, 'exclusive', { takeover: true }))
  t.equal(free.volumes.get(VOLUME)!.shards, before.volumes.get(VOLUME)!.shards, 'nobody to fence')
  t.equal(holders(must(held, attach(A, 'shared'))), 'a1 shared', 'its own is no hindrance')
  t.end()
})

test('detaching fences what is still under way', t => {
  const two = must(must(before, attach(A, 'shared')), attach(B, 'shared'))
  const one = must(two, detach(A))
  t.equal(holders(one), 'b1 shared')
  fencedBy(t, one, two)
  t.equal(refusal(one, detach(A)), 'no-change')
  t.equal(refusal(one, { ...detach(A), volume: volumeId(99) }), 'no-such-volume')
  t.end()
})

test('a volume that is attached is not deleted', t => {
  const held = must(before, attach(A, 'exclusive'))
  const outcome = apply(held, { kind: 'volume-deleted', volume: VOLUME })
  t.equal(outcome.kind === 'refused' && outcome.code, 'in-use')
  t.match(outcome.kind === 'refused' ? outcome.reason : '', /host-a1/)
  t.equal(refusal(must(held, detach(A)), { kind: 'volume-deleted', volume: VOLUME }), null)
  t.end()
})

test('the clients of a volume are bounded', t => {
  const volume = before.volumes.get(VOLUME)!
  const attachments = Array.from({ length: ATTACHMENTS_MAX }, (_, i) => {
    return { client: testPeer(10_000 + i), host: 'h', mode: 'shared' as const, since: SINCE }
  })
  const full = { ...before, volumes: new Map([[VOLUME, { ...volume, attachments }]]) }
  checkConfiguration(full)
  t.equal(refusal(full, attach(A, 'shared')), 'too-many')
  t.equal(refusal(full, attach(A, 'exclusive', { takeover: true })), null, 'these go')
  t.end()
})

test('broken attachments are bugs', t => {
  const volume = must(before, attach(A, 'exclusive')).volumes.get(VOLUME)!
  const [own] = volume.attachments
  const broken = (attachments: typeof volume.attachments): void =>
    checkConfiguration({ ...before, volumes: new Map([[VOLUME, { ...volume, attachments }]]) })
  t.throws(() => broken([own!, own!]), AssertionFailure, 'twice')
  t.throws(() => broken([own!, { ...own!, client: B, mode: 'shared' }]), AssertionFailure, 'mixed')
  const held = must(before, attach(A, 'exclusive'))
  const unfenced = { ...held.volumes.get(VOLUME)!, attachments: [] }
  const next = { ...held, epoch: must(held, detach(A)).epoch }
  t.throws(
    () => checkConfiguration({ ...next, volumes: new Map([[VOLUME, unfenced]]) }, held),
    AssertionFailure,
    'access is withdrawn without a fence',
  )
  t.end()
})
