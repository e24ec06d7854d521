// Makes a cluster decide about configuration changes, for a benchmark of how I/O does after many.
import type { TestCluster } from '../../test/e2e/cluster.js'

/** Each is an epoch of its own: the number of copies that a write waits for goes up and down. */
export async function passEpochs(
  cluster: TestCluster,
  { volume, epochs }: { readonly volume: string; readonly epochs: number },
): Promise<void> {
  const [manager = ''] = cluster.managers
  const before = (await cluster.status(manager)).epoch
  for (let i = 0; i < epochs; i++) {
    const command = { command: 'volume-set', name: volume, snapshots: null, force: false } as const
    await cluster.admin(manager, { ...command, minInSync: i % 2 === 0 ? 1 : 2 })
  }
  const { epoch } = await cluster.status(manager)
  if (epoch < before + epochs) throw new Error(`only ${epoch - before} epochs have passed`)
}
