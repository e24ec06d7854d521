// What mounts and loop devices need of this host, put together for commands.
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { Tools } from '../fuse/run-tool.js'
import type { MountHost } from '../fuse/unmount.js'
import { LoopDevices } from './loop-devices.js'

export interface LocalHost extends MountHost {
  readonly loops: LoopDevices
}

export function mountHost(options: { readonly clock: Clock; readonly log: Log }): LocalHost {
  const tools = new Tools({ clock: options.clock })
  return { log: options.log, tools, loops: new LoopDevices({ ...options, tools }) }
}
