// Operators make clones, flatten them, and are told what a clone stands in the way of; they roll
// volumes back.
import test from 'tape'
import { volumeId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import type { VolumeCloned, VolumeDetail, VolumeFlattened } from '../../../src/net/admin.js'
import { CLIENT, GIB, resultOf } from '../manager-fixture.js'
import { AdminBench, refusal } from './admin-fixture.js'

async function withSnapshot(): Promise<AdminBench> {
  const bench = await AdminBench.withServers()
  const wish = { size: GIB, replicas: 3, minInSync: null, force: false }
  await bench.admin({ command: 'volume-create', name: 'data', ...wish })
  const volume = volumeId(1)
  const manner = { proposer: 'a test', votes: [] }
  const snapshots = [{ volume, name: 's' }]
  await bench.history.propose({ kind: 'volumes-sealed', snapshots }, manner)
  const { epoch: sealed, volumes } = bench.history.current()
  const shards = volumes.get(volume)!.shards.map(({ epoch }) => epoch)
  const at = '2026-01-01T00:00:00.000Z'
  const made = [{ volume, name: 's', shards, source: null }]
  await bench.history.propose({ kind: 'snapshots-created', sealed, at, snapshots: made }, manner)
  return bench
}

test('a clone is made, shown, flattened', async t => {
  const bench = await withSnapshot()
  const clone = { command: 'snapshot-clone', volume: 'data', snapshot: 's', name: 'c' } as const
  const made = resultOf<VolumeCloned>(await bench.admin(clone))
  t.deepEqual([made.name, made.size, made.origin], ['c', GIB, 'data@s'])
  t.equal(made.epoch, bench.history.current().epoch)
  t.equal(made.health, 'ok', 'at once')
  const show = async (name: string): Promise<VolumeDetail> =>
    resultOf<VolumeDetail>(await bench.admin({ command: 'volume-show', name }))
  t.equal((await show('c')).origin, 'data@s')
  t.equal((await show('data')).origin, null)
  const remove = { command: 'snapshot-delete', volume: 'data', name: 's' } as const
  t.match(refusal(await bench.admin(remove)), /^in-use: .* is the origin of "c": flatten/)
  const flatten = { command: 'volume-flatten', name: 'c' } as const
  const flat = resultOf<VolumeFlattened>(await bench.admin(flatten))
  t.deepEqual(flat, { name: 'c', origin: 'data@s', epoch: bench.history.current().epoch })
  t.equal((await show('c')).origin, null)
  t.match(refusal(await bench.admin(flatten)), /^refused: Volume "c" is not a clone/)
  t.equal(refusal(await bench.admin(remove)), 'accepted')
  t.end()
})

test('what cannot be cloned or flattened is refused', async t => {
  const bench = await withSnapshot()
  const clone = { command: 'snapshot-clone', volume: 'data', snapshot: 's', name: 'c' } as const
  t.match(refusal(await bench.admin({ ...clone, volume: 'no' })), /^not-found: There is no volume/)
  t.match(refusal(await bench.admin({ ...clone, snapshot: 'no' })), /^not-found: .* no snapshot/)
  t.match(refusal(await bench.admin({ ...clone, name: 'data' })), /^bad-input: There is a volume/)
  const flatten = { command: 'volume-flatten', name: 'no' } as const
  t.match(refusal(await bench.admin(flatten)), /^not-found/)
  t.end()
})

test('a rollback is refused while somebody is attached, unless that one has died', async t => {
  const bench = await withSnapshot()
  const change: Change = {
    ...{ kind: 'volume-attached', volume: volumeId(1), client: CLIENT, host: 'desk' },
    ...{ mode: 'exclusive', since: '2026-01-01T00:00:00.000Z', takeover: false },
  }
  await bench.history.propose(change, { proposer: 'a test', votes: [] })
  const rollback = { command: 'snapshot-rollback', volume: 'data', name: 's' } as const
  t.match(refusal(await bench.admin(rollback)), /^in-use: .* is attached at host desk/)
  bench.expired.add(CLIENT)
  t.equal(refusal(await bench.admin(rollback)), 'accepted')
  t.deepEqual(bench.history.current().volumes.get(volumeId(1))!.attachments, [])
})
