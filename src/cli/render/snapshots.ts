// Snapshots as people read them.
import type { SnapshotResult, SnapshotsCreated } from '../../net/admin.js'
import { snapshotText } from '../input/snapshot-name.js'
import { formatSize } from '../size.js'
import { renderTable } from './table.js'

export function renderSnapshots(snapshots: readonly SnapshotResult[]): string {
  return renderTable(snapshots, [
    { title: 'SNAPSHOT', cell: snapshot => snapshotText(snapshot) },
    { title: 'AT', cell: snapshot => snapshot.at },
    { title: 'EPOCH', align: 'right', cell: snapshot => String(snapshot.epoch) },
    { title: 'SIZE', align: 'right', cell: snapshot => formatSize(snapshot.size) },
  ])
}

export function renderCreated({ snapshots, epoch }: SnapshotsCreated): string {
  const names = snapshots.map(snapshotText).join(', ')
  return snapshots.length === 1
    ? `snapshot ${names} made in epoch ${epoch}`
    : `snapshots ${names} made of one point in time in epoch ${epoch}`
}
