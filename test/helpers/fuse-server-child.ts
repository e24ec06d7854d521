// Serves a memory driver on a mount, in a process of its own, because a test that touched a mount
// served by itself would wait for itself. Commands and answers are IPC messages (fuse-server.ts).
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError, SwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { mountHost, type LocalHost } from '../../src/cli/mount-host.js'
import { FileOperations } from '../../src/fuse/file-operations.js'
import { prepareMountPoint } from '../../src/fuse/mount-point.js'
import { Tools, type ToolResult } from '../../src/fuse/run-tool.js'
import { serveMount, type TransportChoice } from '../../src/fuse/serve-mount.js'
import { MemoryDriver, type DriverCounts } from './memory-driver.js'

export type ServerCommand =
  | { readonly kind: 'add' | 'grow'; readonly name: string; readonly size: number }
  | { readonly kind: 'remove'; readonly name: string }
  | {
      readonly kind: 'snapshot' | 'delete-snapshot'
      readonly volume: string
      readonly name: string
    }
  | { readonly kind: 'hold' | 'release' | 'counts' | 'crash' }
  | { readonly kind: 'fail' | 'refuse'; readonly code: ErrorCode | null }

export type ServerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'counts'; readonly counts: DriverCounts }

const [directory = '', volumes = '{}', choice = 'auto', perl = 'with-perl'] = process.argv.slice(2)
const driver = new MemoryDriver(JSON.parse(volumes) as Record<string, number>)

class ToolsWithoutPerl extends Tools {
  override async runWithFiles(...call: Parameters<Tools['runWithFiles']>): Promise<ToolResult> {
    if (call[0] === 'perl') throw new SwarmdiskError('environment', 'There is no perl.')
    return super.runWithFiles(...call)
  }
}

function hostOfTest(): LocalHost {
  const host = mountHost({ clock: systemClock, log: silentLog })
  if (perl === 'with-perl') return host
  return { ...host, tools: new ToolsWithoutPerl({ clock: systemClock }) }
}

function answer(message: ServerAnswer): void {
  process.send?.(message)
}

function obey(command: ServerCommand): void {
  if (command.kind === 'add') driver.add(command.name, command.size)
  else if (command.kind === 'grow') driver.grow(command.name, command.size)
  else if (command.kind === 'remove') driver.remove(command.name)
  else if (command.kind === 'snapshot') driver.snapshot(command.volume, command.name)
  else if (command.kind === 'delete-snapshot') driver.deleteSnapshot(command.volume, command.name)
  else if (command.kind === 'fail') driver.fail(command.code)
  else if (command.kind === 'refuse') driver.refuseAttach(command.code)
  else if (command.kind === 'hold') driver.hold()
  else if (command.kind === 'release') driver.release()
  else if (command.kind === 'crash') throw new Error('as the test asked for')
  // Every command is answered, so that the test knows that it has been obeyed.
  answer({ kind: 'counts', counts: driver.counts() })
}

async function serve(): Promise<void> {
  const base = { clock: systemClock, log: silentLog }
  const host = hostOfTest()
  const mountPoint = await prepareMountPoint(host, directory)
  const operations = new FileOperations({ driver, clock: systemClock })
  const options = { ...base, host, operations, mountPoint, choice: choice as TransportChoice }
  const { transport } = await serveMount(options)
  process.on('message', obey)
  // While it is in use, the mount goes on.
  process.on('SIGTERM', () => {
    transport.unmount({ abort: false }).catch((error: unknown) => {
      if (!isSwarmdiskError(error)) throw error
      answer({ kind: 'failed', code: error.code, message: error.message })
    })
  })
  answer({ kind: 'ready' })
  await transport.closed
  await driver.close()
}

try {
  await serve()
} catch (error) {
  if (!isSwarmdiskError(error)) throw error
  answer({ kind: 'failed', code: error.code, message: error.message })
}
// Nothing else may keep it alive: that it ends by itself is part of the test.
process.disconnect()
