# Installs packages without apt where nothing else must be installed or removed for them. Read before install.sh.
#
# For one small package apt spends nearly all of its time on the package lists, and where they are not there yet it
# would fetch them for nothing. Whatever is not plainly in order here is left to apt.

# installed: one line per installed package of the root's own architecture, in the form of can_go_in.
installed() {
    dpkg-query --show --showformat \
        '${db:Status-Status}\t${Architecture}\thas\t${Package}\t${Version}\t${Provides}\t${Conflicts}, ${Breaks}\n' |
        awk -F '\t' -v OFS='\t' -v native="$(dpkg --print-architecture)" '
            $1 == "installed" && ($2 == native || $2 == "all") { print $3, $4, $5, $6, $7 }'
}

# new RECOMMENDS FILE...: one line per package to install, in the form of can_go_in; its recommendations count as
# dependencies unless RECOMMENDS is empty.
new() {
    recommends=${1:+'\t${Recommends}'}
    shift
    for file in "$@"; do
        dpkg-deb --show --showformat \
            'new\t${Package}\t${Version}\t${Provides}\t${Conflicts}, ${Breaks}\t${Pre-Depends}\t${Depends}'"$recommends\n" "$file"
    done
}

# can_go_in: reads lines and succeeds if the new packages need, and stand in the way of, nothing.
#
#   has TAB name TAB version TAB provides TAB conflicts
#   new TAB name TAB version TAB provides TAB conflicts TAB pre-depends TAB depends TAB recommends
can_go_in() {
    awk -F '\t' '
        function provide(name, version) {
            providers[name]++
            provided[name, providers[name]] = version
        }
        # Notes what a package is and what it provides.
        function enter(name, version, provides,    count, list, i) {
            provide(name, version)
            count = split(provides, list, ",")
            for (i = 1; i <= count; i++)
                if (parse(list[i]))
                    provide(relation_name, relation_version)
        }
        # Takes a relation apart; anything unusual makes it unknown.
        function parse(relation,    text) {
            relation_name = relation_operator = relation_version = ""
            text = relation
            gsub(/^[ \t]+|[ \t]+$/, "", text)
            if (text ~ /^[a-z0-9][a-z0-9+.-]*(:any)?$/) {
                sub(/:any$/, "", text)
                relation_name = text
                return 1
            }
            if (text !~ /^[a-z0-9][a-z0-9+.-]*(:any)? *\((<<|<=|=|>=|>>) *[A-Za-z0-9.+:~-]+\)$/)
                return 0
            relation_name = text
            sub(/[ :(].*/, "", relation_name)
            sub(/^[^(]*\(/, "", text)
            sub(/\)$/, "", text)
            match(text, /^[<>=]+/)
            relation_operator = substr(text, 1, RLENGTH)
            relation_version = substr(text, RLENGTH + 1)
            gsub(/ /, "", relation_version)
            return 1
        }
        # Whether a package that is there satisfies one relation.
        function holds(relation,    i, version) {
            if (!parse(relation))
                return 0
            if (relation_operator == "")
                return providers[relation_name] > 0
            for (i = 1; i <= providers[relation_name]; i++) {
                version = provided[relation_name, i]
                if (version != "" && version ~ /^[A-Za-z0-9.+:~-]+$/ &&
                    system("dpkg --compare-versions \"" version "\" \"" relation_operator "\" \"" relation_version "\"") == 0)
                    return 1
            }
            return 0
        }
        function all_hold(relations,    count, list, i, j, choices, choice, any) {
            count = split(relations, list, ",")
            for (i = 1; i <= count; i++) {
                if (list[i] ~ /^[ \t]*$/)
                    continue
                any = 0
                choices = split(list[i], choice, "|")
                for (j = 1; j <= choices && !any; j++)
                    any = holds(choice[j])
                if (!any)
                    return 0
            }
            return 1
        }
        # Whether a list names a package, with whatever version.
        function names_one(relations, names,    count, list, i) {
            count = split(relations, list, ",")
            for (i = 1; i <= count; i++) {
                sub(/^[ \t]+/, "", list[i])
                sub(/[ \t:(].*/, "", list[i])
                if (list[i] in names)
                    return 1
            }
            return 0
        }
        $1 == "has" {
            there[$2] = 1
            enter($2, $3, $4)
            against = against "," $5
        }
        $1 == "new" {
            count++
            line[count] = $0
        }
        END {
            for (i = 1; i <= count; i++) {
                split(line[i], field, "\t")
                wanted[field[2]] = 1
                # Replacing an installed package, or unpacking before another new one, is for apt to order.
                if (field[2] in there || names_one(field[5], there) || !all_hold(field[6]))
                    exit 1
            }
            if (count == 0 || names_one(against, wanted))
                exit 1
            for (i = 1; i <= count; i++) {
                split(line[i], field, "\t")
                enter(field[2], field[3], field[4])
            }
            for (i = 1; i <= count; i++) {
                split(line[i], field, "\t")
                if (!all_hold(field[7]) || !all_hold(field[8]))
                    exit 1
            }
        }'
}
