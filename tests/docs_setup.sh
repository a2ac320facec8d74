# Loaded before each page of the documentation is run: functions for the set-up that
# stands in the pages' `<!-- setup` comments. Dates are fixed, so that ids are.
now=1767340800 # Friday, 2 January 2026, 08:00 UTC
export GIT_AUTHOR_DATE="$now +0000" GIT_COMMITTER_DATE="$now +0000"

# later SECONDS: let time pass.
later() {
    now=$((now + $1))
    export GIT_AUTHOR_DATE="$now +0000" GIT_COMMITTER_DATE="$now +0000"
}

# commit SUBJECT: commit all changes, a day after the last one.
commit() {
    later 86400
    printf '%s\n' "$1" >>CHANGES
    git add --all
    git commit --quiet --message "$1"
}

# results FILE SEED BENCHMARK=CENTER...: a result file of fixed numbers, in seconds.
results() {
    python3 "$DOCS_RESULTS" "$now" "$@"
}
