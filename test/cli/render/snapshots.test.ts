// Snapshots as people read them.
import test from 'tape'
import { renderCreated, renderSnapshots } from '../../../src/cli/render/snapshots.js'
import type { SnapshotResult } from '../../../src/net/admin.js'

function snapshot(volume: string, name: string, epoch: number): SnapshotResult {
  return { volume, name, epoch, at: '2026-01-01T00:00:00.000Z', size: 10 * 2 ** 30 }
}

test('a table of snapshots', t => {
  const text = renderSnapshots([snapshot('data', 'monday', 7), snapshot('data', 'x', 1234)])
  t.deepEqual(
    text.split('\n').map(line => line.replaceAll(/ {2,}/g, ' | ')),
    [
      'SNAPSHOT | AT | EPOCH | SIZE',
      'data@monday | 2026-01-01T00:00:00.000Z | 7 | 10 GiB',
      'data@x | 2026-01-01T00:00:00.000Z | 1234 | 10 GiB',
    ],
  )
  t.end()
})

test('what was made', t => {
  const one = { snapshots: [snapshot('data', 'monday', 7)], epoch: 7 }
  t.equal(renderCreated(one), 'snapshot data@monday made in epoch 7')
  const two = { snapshots: [snapshot('a', 'x', 9), snapshot('b', 'x', 9)], epoch: 9 }
  t.equal(renderCreated(two), 'snapshots a@x, b@x made of one point in time in epoch 9')
  t.end()
})
