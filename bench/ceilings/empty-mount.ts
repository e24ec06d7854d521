// Serves one volume that has no content and no servers behind it, until the parent is gone: what is
// left is the cost of the transport.
import { byteCount } from '../../src/base/brands.js'
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { mountHost } from '../../src/cli/mount-host.js'
import type { OpenVolume, VolumeDriver } from '../../src/client/volume-driver.js'
import { FileOperations } from '../../src/fuse/file-operations.js'
import { prepareMountPoint } from '../../src/fuse/mount-point.js'
import { serveMount, type TransportName } from '../../src/fuse/serve-mount.js'
import { answerParent, parentGone, tellParent } from './parent.js'

const [directory = '', choice = '', bytes = '0'] = process.argv.slice(2)
const size = byteCount(Number(bytes))
const nothing = (): Promise<void> => Promise.resolve()

const volume: OpenVolume = {
  ...{ name: 'empty', size, claimed: true },
  ...{ attach: nothing, release: nothing, read: nothing, write: nothing },
  ...{ discard: nothing, flush: nothing, grow: nothing },
}
const driver: VolumeDriver = {
  volumes: () => [volume],
  size: () => size,
  open: () => volume,
  snapshots: () => [],
  openSnapshot: () => null,
  held: () => null,
  abort: () => undefined,
  close: nothing,
}

const base = { clock: systemClock, log: silentLog }
const host = mountHost(base)
const mountPoint = await prepareMountPoint(host, directory)
const operations = new FileOperations({ driver, clock: systemClock })
const { transport } = await serveMount({
  ...{ ...base, host, mountPoint, operations, choice: choice as TransportName },
})
answerParent(() => {
  const { user, system } = process.cpuUsage()
  return Promise.resolve((user + system) / 1e6)
})
void parentGone.then(() => transport.unmount({ abort: true }))
tellParent('ready')
await transport.closed
