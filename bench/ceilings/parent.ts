// The child's side: see child.ts. Ctrl-C reaches the whole group of a terminal, so it means nothing
// here; what counts is that the parent is gone, or wants no more.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)

export const parentGone = new Promise<void>(resolve => {
  process.once('disconnect', () => resolve())
})

export function tellParent(what: unknown): void {
  if (process.connected) process.send?.(what)
}

/** Answers every question of the parent, one at a time. */
export function answerParent(answer: (question: unknown) => Promise<unknown>): void {
  process.on('message', (question: unknown) => {
    answer(question).then(tellParent, (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    })
  })
}
