// Long-running commands stop cleanly on SIGINT and SIGTERM; a second signal ends the process at
// once, for people who do not want to wait.

/** Resolves at the first signal, and keeps the process alive until then. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    // Our clocks do not keep a process alive, so something has to.
    const alive = setInterval(() => undefined, 2 ** 30)
    const stop = (signal: NodeJS.Signals): void => {
      clearInterval(alive)
      for (const name of ['SIGINT', 'SIGTERM'] as const) {
        process.removeListener(name, stop)
        process.once(name, () => process.exit(130))
      }
      resolve(signal)
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  })
}
