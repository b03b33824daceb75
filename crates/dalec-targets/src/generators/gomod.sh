
# Downloads the modules of Go programs. Everything that was ever downloaded is kept in /work/cache; what these programs,
# directories of /work/src, need of it goes to /work/modules.
for path; do
    cd "/work/src/$path"
    GOMODCACHE=/work/cache go mod download
    # Private modules are taken from there as well.
    GONOPROXY=none GOPROXY=file:///work/cache/cache/download GOMODCACHE=/work/modules go mod download
done
