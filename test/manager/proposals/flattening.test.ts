// A clone is flattened only when every in-sync copy of it has begun: whoever has not would not know
// any more from what, and would count as in-sync all the same.
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { must } from '../../layout/clusters.js'
import { A, B, fourServers, ProposalsBench, refuse, said } from './proposals-fixture.js'

const AT = '2026-01-01T00:00:00.000Z'

function withClone(): { readonly configuration: Configuration; readonly flatten: Change } {
  const before = fourServers()
  const volume = [...before.volumes.keys()][0]!
  const sealed = must(before, { kind: 'volumes-sealed', snapshots: [{ volume, name: 's' }] })
  const shards = sealed.volumes.get(volume)!.shards.map(shard => shard.epoch)
  const made = must(sealed, {
    ...{ kind: 'snapshots-created', sealed: sealed.epoch, at: AT },
    snapshots: [{ volume, name: 's', shards, source: null }],
  })
  const clone = made.nextVolume
  const configuration = must(made, { kind: 'volume-cloned', volume, snapshot: 's', name: 'c' })
  return { configuration, flatten: { kind: 'volume-flattened', volume: clone } }
}

test('all have begun', async t => {
  const { configuration, flatten } = withClone()
  const bench = new ProposalsBench(configuration)
  t.equal(said(await bench.propose(flatten)), `committed as ${epoch(configuration.epoch + 1)}`)
  t.end()
})

test('one is silent: it may not have begun, and force changes nothing', async t => {
  for (const force of [false, true]) {
    const { configuration, flatten } = withClone()
    const bench = new ProposalsBench(configuration)
    bench.votes.set(A, 'silent')
    bench.leaseOver.add(A) // it serves nothing: that is not what it is about
    t.match(said(await bench.propose(flatten, force)), /^no-vote: Storage server a did not answer/)
    t.equal(bench.history.current().epoch, configuration.epoch, 'nothing is changed')
  }
  t.end()
})

test('one says that it has not begun', async t => {
  for (const force of [false, true]) {
    const { configuration, flatten } = withClone()
    const bench = new ProposalsBench(configuration)
    bench.votes.set(B, refuse('b has not begun its copy of shard 0 of volume c'))
    t.match(said(await bench.propose(flatten, force)), /has not begun its copy/)
  }
  t.end()
})
